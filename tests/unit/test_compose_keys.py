"""Every key of the Compose specification is supported, refused or noted; the reference says which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.compose.reference import reference
from slipway.compose.tables import PARTS, Part

SPECIFICATION = json.loads((Path(__file__).parent / "compose_files" / "specification_keys.json").read_text())
PAGE = Path(__file__).parents[2] / "docs" / "compose.md"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_key_stands_in_exactly_one_table(part: Part) -> None:
    """No key is both supported and refused, or both refused and noted."""
    names = [*part.table.supported, *part.table.refused, *part.table.noted]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", sorted(SPECIFICATION["keys"]))
def test_every_key_of_the_specification_is_known(name: str) -> None:
    """The tables cover the specification's schema, part by part."""
    table = next(part.table for part in PARTS if part.name == name)
    assert set(SPECIFICATION["keys"][name]) - {*table.supported, *table.refused, *table.noted} == set()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_refusal_says_why_and_what_instead(part: Part) -> None:
    """A refused key without a way out would leave an operator stuck."""
    assert [name for name, refusal in part.table.refused.items() if not (refusal.why and refusal.instead)] == []


def test_the_reference_is_current() -> None:
    """docs/compose.md says what the tables say; `python -m slipway.compose.reference` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == reference(page)


def test_the_reference_describes_every_supported_key() -> None:
    """No row of the reference is without its sentence."""
    rows = [line for line in reference("").splitlines() if line.startswith("| `")]
    assert [row for row in rows if not row.rstrip("| ").rpartition("|")[2].strip()] == []
