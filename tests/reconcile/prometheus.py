"""Prometheus' own checker on what Slipway writes: metrics as they would be scraped over hours, against the rules."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.machine_tools import promtool
from slipway.paths import SOURCE_ROOT

RULES = SOURCE_ROOT / "docs" / "alerts" / "slipway.rules.yml"
SECONDS = 120
"""For one run of promtool on a loaded machine; it takes two."""

LABELS = 'instance="ops1"'

Scrape = Callable[[int], str | None]
"""What node_exporter serves at a minute; None where the host is off."""


def ran(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """promtool, with that on its standard input."""
    program = promtool()
    assert program, "no promtool here: ./slipway test --yes unpacks it"
    return subprocess.run([program, *words], input=given, capture_output=True, text=True, timeout=SECONDS, check=False)


def series(scrape: Scrape, minutes: int) -> list[dict[str, str]]:
    """The series of promtool's tests, one sample a minute; a sample that is not there is a gap."""
    seen: dict[str, list[str]] = {}
    for minute in range(minutes + 1):
        for name, value in _samples(scrape(minute) or ""):
            values = seen.setdefault(name, ["_"] * minute)
            values.append(value)
        for values in seen.values():
            values.extend(["_"] * (minute + 1 - len(values)))
    return [{"series": name, "values": " ".join(values)} for name, values in seen.items()]


def _samples(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line):
            yield f"{match[1]}{{{match[2]},{LABELS}}}", match[3]


@dataclass(frozen=True)
class Verdict:
    """What promtool said of alerts."""

    wrong: str
    """Where others fire than were to; empty where just those do."""
    told: str
    """What the one alert says that was asked for its words."""


def alerts(scrape: Scrape, wanted: Mapping[int, Iterable[str]], folder: Path, words_of: str = "") -> Verdict:
    """Whether at each of these minutes just these alerts fire.

    + words_of: an alert that fires at the last of these minutes
    """
    last = max(wanted)
    tests: dict[str, Any] = {"promql_expr_test": [_test(minute, names) for minute, names in wanted.items()]}
    if words_of:  # promtool shows what an alert says only where nothing was expected of it
        tests["alert_rule_test"] = [{"eval_time": f"{last}m", "alertname": words_of, "exp_alerts": []}]
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series(scrape, last), **tests}],
    }
    file = folder / "rules_test.yml"
    file.write_text(json.dumps(document))  # which is YAML too, and written a hundred times as fast
    done = ran("test", "rules", str(file))
    said = done.stdout + done.stderr
    told = "".join(re.findall(r"Annotations:\{.*\}", said))
    return Verdict(said if "expr:" in said or (done.returncode and not told) else "", told)


def _test(minute: int, names: Iterable[str]) -> dict[str, Any]:
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
    }
