"""What figures were taken on: without it they say nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from slipway.bench.environment import LOCK
from slipway.paths import SOURCE_ROOT


def about(left_out: list[str]) -> dict[str, str]:
    """Name to value, as the page and the raw figures have it."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    found = {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "command": f"`./slipway {' '.join(sys.argv[1:])}`",
        "machine": f"{os.cpu_count()} cores, {int(memory.group(1)) >> 20 if memory else '?'} GiB; hosts and controller",
        "load average at the end": f"{load} (1, 5, 15 minutes)",
        "Python, pyinfra": f"{platform.python_version()}, {version('pyinfra')}",
        "ansible-core, mitogen": _locked("ansible-core", "mitogen"),
    }
    return {**found, **({"left out": "; ".join(left_out)} if left_out else {})}


def _commit() -> str:
    words = ["git", "-C", str(SOURCE_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _locked(*names: str) -> str:
    text = (SOURCE_ROOT / LOCK).read_text(encoding="utf-8")
    return ", ".join(found[1] if (found := re.search(rf"^{name}==(\S+)", text, re.M)) else "?" for name in names)
