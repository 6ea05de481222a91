"""Whatever a host has and whatever it is to get: files that go up together come to what they come to one by one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.ops import files
from slipway.seam import memory
from tests.shell_host import Done, deploy, directory, put, settle

pytestmark = pytest.mark.sweep

PATHS = ["a", "b", "c", "d/x", "d/y", "e/x", "link/z", "d"]
CHECKS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "accepts": ("test", "-s", files.CANDIDATE),
    # By what another file holds, as a check that reads a whole configuration does.
    "with a": ("sh", "-c", 'grep -q y "$1/a" && { echo "not beside this a"; exit 4; } || true', "check", "{root}"),
}


@dataclass(frozen=True)
class Thing:
    """What lies at a path: a file with content, or `directory`, or a link."""

    kind: str
    content: str = ""
    mode: int = 0o644

    def make(self, path: Path) -> None:
        if path.parent.is_dir() and not path.exists() and not path.is_symlink():
            if self.kind == "directory":
                path.mkdir(0o755)
            elif self.kind == "link":
                path.symlink_to("d")
            else:
                path.write_text(self.content)
                path.chmod(self.mode)


@dataclass(frozen=True)
class Step:
    """One operation."""

    kind: str
    path: str
    content: str = ""
    mode: str = "644"
    check: str = ""
    owes: tuple[str, ...] = ()
    ignores: bool = False
    depends: bool = False
    """Whether it runs only where the put before it has changed something."""

    def declare(self, root: Path, before: Any) -> Any:
        path = root / self.path
        if self.kind == "put":
            check = tuple(word.replace("{root}", str(root)) for word in CHECKS[self.check])
            more: dict[str, Any] = {"_if": before.did_change} if self.depends and before else {}
            more |= {"_ignore_errors": True} if self.ignores else {}
            return put(path, self.content, mode=self.mode, check=check, owes=self.owes, **more)
        ways: dict[str, Callable[[], Any]] = {
            "directory": lambda: directory(path, "700" if self.mode == "600" else "755"),
            "link": lambda: files.link(path=str(path), target="d", name="Link"),
            "absent": lambda: files.absent(path=str(path), name="Remove"),
            "settle": lambda: settle(root=str(root), what="reload:u", name="Settle"),
        }
        ways[self.kind]()
        return before


contents = st.sampled_from(["x", "y\n", ""])
things = st.builds(
    Thing, st.sampled_from(["file", "file", "file", "directory", "link"]), contents, st.sampled_from([0o644, 0o600])
)
found_there = st.dictionaries(st.sampled_from(PATHS), things)
puts = st.builds(
    Step, st.just("put"), st.sampled_from(PATHS), contents, st.sampled_from(["644", "600"]),
    st.sampled_from(["", "", "", *CHECKS]), st.sampled_from([(), (), ("reload:u",)]),
    *[st.sampled_from([False, False, False, True])] * 2,
)  # fmt: skip
others = st.builds(
    Step, st.sampled_from(["directory", "directory", "directory", "link", "absent", "settle"]), st.sampled_from(PATHS),
    st.just(""), st.sampled_from(["644", "600"]),
)  # fmt: skip
plans = st.lists(st.one_of(puts, puts, puts, others), min_size=2, max_size=9)


def converge(root: Path, there: Mapping[str, Thing], plan: list[Step], switch: str) -> list[Done]:
    """Two runs, the second of which finds what the first has left."""
    shutil.rmtree(root, ignore_errors=True)
    for each in ("", "d", "e", "owed"):
        (root / each).mkdir()
    for path, thing in sorted(there.items()):
        thing.make(root / path)

    def tasks() -> None:
        before: Any = None
        for step in plan:
            before = step.declare(root, before)

    with patch.dict(os.environ, {memory.SWITCH: switch}):
        return [deploy(root, tasks) for _ in range(2)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(found_there, plans)
def test_plan_result_order_errors_and_host_are_the_same(there: dict[str, Thing], plan: list[Step]) -> None:
    """Random files, random damage, random operations, with checks that refuse and look at other files, reloads that are
    owed, conditions and errors that are passed over: all that anybody can see is the same, in no more changes."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "root"
        one_by_one, together = (converge(root, there, plan, switch) for switch in ("no", "yes"))
    assert together == one_by_one
    for one, other in zip(together, one_by_one, strict=True):
        assert len(one.connection.changes) <= len(other.connection.changes)
