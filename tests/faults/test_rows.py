"""All 48 faults are accounted for: each has its tests, which exist, or a reason why it has none."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.faults.rows import PAGE, ROWS, Row, named, page
from tests.project import ROOT


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def test_every_row_is_there() -> None:
    """1 to 48, in their order."""
    assert [row.number for row in ROWS] == list(range(1, 49))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_has_its_tests_or_its_reason(row: Row) -> None:
    """None is only promised."""
    assert row.fault and row.deserved
    assert row.tests or row.apart


def test_the_tests_that_are_named_exist() -> None:
    """A renamed test takes its row with it."""
    missing = [f"{file}::{name}" for file, name in named() if name not in names_in(file)]
    assert missing == []


def test_the_page_is_what_the_table_says() -> None:
    """docs/faults.md is made, not written: `python -m tests.faults.rows`."""
    assert PAGE.read_text(encoding="utf-8") == page()
