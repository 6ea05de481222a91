"""What a release says of the schema that it needs, as the Compose file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.compose import load
from slipway.compose.extension import Migration
from slipway.problems import BadInput


def migration(directory: Path, written: str) -> Migration | None:
    """`x-slipway.migrate` with these words beside its service and command."""
    path = directory / "compose.yaml"
    migrate = f"x-slipway:\n  migrate: {{service: web, command: up{written}}}\n"
    path.write_text(f"name: shop\n{migrate}services: {{web: {{image: 'a:1'}}}}\n")
    return load(path, variables={"HEAD": "0042_orders"}).migration


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("", (None, (), ())),
        (", revision: 0042_orders", ("0042_orders", (), ())),
        (", revision: $HEAD", ("0042_orders", (), ())),
        (", revision: '2026.1'", ("2026.1", (), ())),
        (", revision: v7, runs_on: v8", ("v7", ("v8",), ())),
        (", revision: v7, runs_on: [v8, '9*', 'v[0-6]']", ("v7", ("v8", "9*", "v[0-6]"), ())),
        (", revision: v7, still_runs: [v5, v6]", ("v7", (), ("v5", "v6"))),
    ],
)
def test_revisions_are_read(
    written: str, wanted: tuple[str | None, tuple[str, ...], tuple[str, ...]], tmp_path: Path
) -> None:
    """The revision of the release, those that it can run on, and those whose releases it leaves running."""
    found = migration(tmp_path, written)
    assert found is not None
    assert (found.revision, found.runs_on, found.still_runs) == wanted


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (", revision: 'head; rm'", "'head; rm' is not the name of a revision"),
        (", revision: 'v*'", "'v*' is not the name of a revision"),
        (", revision: ''", "is not the name of a revision"),
        (", runs_on: ['a b']", "'a b' is not the name of a revision"),
        (", still_run: [v1]", "did you mean 'still_runs'"),
    ],
)
def test_what_is_no_revision_is_refused(written: str, told: str, tmp_path: Path) -> None:
    """With the file's line, as everything else."""
    with pytest.raises(BadInput) as refused:
        migration(tmp_path, written)
    assert told in str(refused.value) and ":3: x-slipway.migrate" in str(refused.value)
