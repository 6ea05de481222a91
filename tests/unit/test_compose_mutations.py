"""Whatever stands in a Compose file, load() gives a stack or a BadInput with a place for each problem."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.compose import Stack, load
from slipway.compose.tables import PARTS
from slipway.problems import BadInput

FILES = Path(__file__).parent / "compose_files"
VALID = [(FILES / f"{name}.yaml").read_text() for name in ("botmatrix", "agents", "coze", "maibot")]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TREES = [yaml.load(text, Loader=LOADER) for text in VALID]  # noqa: S506 - both are safe loaders
KEYS = sorted({key for part in PARTS for key in (*part.table.supported, *part.table.refused)})
VALUES = [
    *(None, True, 0, -1, 10**30, 1.5, float("inf"), "", "x", "$", "${X}", "${A:-b}", "a:b:c:d", "8000:80", "10s", "1g"),
    *("\0", "\u2028", "\ue000DB_PASSWORD\ue001", "/a:/b", "'", "é" * 300, "postgres:15", "redis", "web", "CMD"),
    *([], [None], [[]], {}, {"x": {}}, ["CMD"], {"path": "x"}, {"external": True}, [{"target": 1}], {"condition": 3}),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack whose file is written anew for each case."""
    return tmp_path_factory.mktemp("stack") / "compose.yaml"


def read(path: Path, text: str) -> Stack | None:
    """The stack, or None after checking that each problem of the refusal has its place."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return load(
            path,
            variables={"VERSION": "1", "SITE": "a.example.com", "REDIS_PASSWORD": "x"},
            secret_names=["DB_PASSWORD"],
        )
    except BadInput as error:
        assert error.problems
        assert all(re.search(r":\d+$", each.where) or each.what == "is not UTF-8" for each in error.problems)
        return None


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping and list of a tree with each of its keys."""
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from places(value)


def mutated(seed: int) -> str:
    """A valid file with one to four values replaced, keys added or taken away."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret
    tree = copy.deepcopy(chance.choice(TREES))
    for _ in range(chance.randint(1, 4)):
        container, key = chance.choice(list(places(tree)))
        if isinstance(container, dict) and chance.random() < 0.3:
            container[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
        elif isinstance(container, dict) and chance.random() < 0.2:
            container.pop(key)
        else:
            container[key] = copy.deepcopy(chance.choice(VALUES))
    return json.dumps(tree, indent=1)  # which is YAML too, and quick to write


@settings(max_examples=60, database=None, deadline=None)  # shared processors stall now and then; no time is promised
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_a_mutated_file_gives_a_stack_or_bad_input(path: Path, seed: int) -> None:
    """No value of any type under any key ends with anything but problems that have a place."""
    read(path, mutated(seed))


@settings(max_examples=40, database=None, deadline=None)  # as above
@given(data=st.data())
def test_cut_and_spliced_text_gives_a_stack_or_bad_input(path: Path, data: st.DataObject) -> None:
    """Text cut anywhere, with anything put in, is read or refused; it never raises anything else."""
    text = data.draw(st.sampled_from(VALID))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    put_in = data.draw(st.text(alphabet="\t\n :-[]{}*&!|>'\"$#%@a1\0é\ud800", max_size=12))
    read(path, text[:start] + put_in + text[end:])


def test_the_files_that_are_mutated_are_valid(path: Path) -> None:
    """The mutations begin with files that load, so that they reach every reader."""
    path.with_name("maibot.Dockerfile").write_text("FROM scratch\n")
    assert [read(path, text) is not None for text in VALID] == [True] * 4
