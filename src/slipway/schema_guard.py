"""Whether a release on record can run on the schema that is there now: it is never taken back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from slipway.facts.schema import Finished
from slipway.problems import Problem

UNKNOWN = "unknown"
"""What a schema is called that nobody can tell."""


@dataclass(frozen=True)
class Schema:
    """What a release says of the schema."""

    key: str = ""
    """Names the migration by what it is; empty where nothing is known of it."""
    revision: str = ""
    runs_on: tuple[str, ...] = ()
    still_runs: tuple[str, ...] = ()
    brought_by: str = ""
    """The release."""

    @property
    def name(self) -> str:
        """What it is called where a person has to name it."""
        return self.revision or self.key or UNKNOWN


def schema_in(record: Mapping[str, Any]) -> Schema | None:
    """What the release of a record brings; None where it has no migration."""
    migration = (record.get("application") or {}).get("migration")
    if not migration:
        return None
    return Schema(
        key=str(record.get("schema", "")),
        revision=migration.get("revision") or "",
        runs_on=tuple(migration.get("runs_on", ())),
        still_runs=tuple(migration.get("still_runs", ())),
        brought_by=str(record.get("id", "")),
    )


def present_schema(finished: Finished | None, records: Iterable[Mapping[str, Any]]) -> Schema:
    """The schema that is there: of the last migration that was finished, with what is on record of it, newest first."""
    if finished is None:
        return Schema()
    for record in records:
        found = schema_in(record)
        if found and found.key == finished.key:
            return found
    return Schema(key=finished.key, brought_by=finished.release)


def objection(target: Schema | None, present: Schema, accepted: str = "") -> Problem | None:
    """Why the target may not be gone back to; None where it may. `accepted` names a schema that is consented to."""
    if (
        target is None
        or _runs(target, present)
        or (accepted and accepted in (present.revision, present.key, present.name))
    ):
        return None
    by = f", which release {present.brought_by} brought" if present.brought_by else ""
    there = f"the schema is {present.name}{by}; it is not taken back by a rollback"
    says = f"it brings {target.name} and declares that it runs on {', '.join(target.runs_on) or 'no other'}"
    hint = (
        f"fix forward; or see that its code runs on {present.name} and consent: --accept-schema {present.name}. "
        f"Of later releases declare it: x-slipway.migrate.runs_on, or still_runs"
    )
    return Problem(f"release {target.brought_by}", f"{there}. {says}", hint)


def _runs(target: Schema, present: Schema) -> bool:
    """Whether it is the very schema, or one of the two declares that they go together."""
    if target.key == present.key or (target.revision and target.revision == present.revision):
        return True
    runs_on = any(fnmatchcase(present.revision, pattern) for pattern in target.runs_on if present.revision)
    still = any(fnmatchcase(target.revision, pattern) for pattern in present.still_runs if target.revision)
    return runs_on or still
