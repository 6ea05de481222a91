"""What the audits of all hosts say together: one line for each run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from slipway.facts.audit import Audited
from slipway.order import merged
from slipway.printable import in_one_line

MOST_OF_A_TEXT = 400
"""Characters; what we write is shorter."""


@dataclass(frozen=True)
class Audit:
    """One run."""

    id: str
    at: str = ""
    """When it began: UTC, by its controller's clock."""
    who: str = ""
    command: str = ""
    inventory: str = ""
    limit: tuple[str, ...] = ()
    commit: str = ""
    release: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Host that has it on record to the address that it saw it come from."""
    code: int | None = None
    """Exit code; None where it did not end, or has not yet."""
    how: str = ""
    ended: str = ""
    is_in_progress: bool = False
    open_on: tuple[str, ...] = ()
    """Hosts that were not told of an end that others know."""

    @property
    def ending(self) -> str:
        """In words."""
        if self.code is None:
            return "in progress" if self.is_in_progress else "did not end"
        told = f"{self.code}: {self.how}"
        return f"{told} (unknown to {', '.join(self.open_on)})" if self.open_on else told

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def audit(found: Mapping[str, Audited]) -> list[Audit]:
    """Every run on record, oldest first, in the order in which the hosts saw them begin."""
    order = merged([tuple(dict.fromkeys(line["id"] for line in host.lines)) for host in found.values()])
    return [each for identity in order if (each := _one(identity, found)).command]


def _one(identity: str, found: Mapping[str, Audited]) -> Audit:
    begun: dict[str, Mapping[str, Any]] = {}
    ended: dict[str, Mapping[str, Any]] = {}
    for host, audited in found.items():
        for line in audited.lines:
            if line["id"] == identity:
                begun |= {host: line} if "command" in line else {}
                ended |= {host: line} if "code" in line else {}
    said = {**next(iter(begun.values()), {}), **next(iter(ended.values()), {})}
    text = {name: _plain(said.get(name)) for name in _TEXTS}
    return Audit(
        identity, **text, limit=tuple(map(_plain, _list(said.get("limit")))),
        hosts={host: _plain(line.get("from")) for host, line in begun.items()},
        code=said.get("code") if isinstance(said.get("code"), int) else None,
        is_in_progress=any(identity in audited.held for audited in found.values()),
        open_on=tuple(host for host in begun if ended and host not in ended),
    )  # fmt: skip


_TEXTS = ("at", "who", "command", "inventory", "commit", "release", "how", "ended")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(value: object) -> str:
    """Text that can be shown: what a host says may be anything."""
    return in_one_line(value if isinstance(value, str) else "" if value is None else str(value), MOST_OF_A_TEXT)
