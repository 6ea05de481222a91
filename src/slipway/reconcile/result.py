"""What came of one reconcile: every host, every difference with its kind, and how it ended. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from slipway.holds import Hold

FORMAT = 1
"""Of the JSON. A program that reads another one is to say so."""

Kind = Literal["drift", "owed", "intended", "noise"]
Outcome = Literal["clean", "found", "mended", "held", "failed", "yielded"]
Mend = Literal["none", "drift", "all"]
KINDS: tuple[Kind, ...] = ("drift", "owed", "intended", "noise")

EXIT: Mapping[Outcome, int] = {"clean": 0, "mended": 0, "held": 0, "failed": 1, "found": 3, "yielded": 75}
"""By outcome. What somebody holds, what is intended and what is known as noise raise nothing."""


@dataclass(frozen=True)
class Difference:
    """One thing in which a host is not as it should be."""

    kind: Kind
    """drift: the host was changed; owed: a run did not finish; intended: the repository moved on; noise: known."""
    role: str
    operation: str
    """The operation's name."""
    subject: str
    """The thing: a path, a unit, a container, a role in a database."""
    what: str
    """What about it differs, in a few words; never a secret."""
    diff: str = ""
    """Unified diff where it is a text that is no secret; text of the host, to be shown as text."""
    since: str = ""
    """UTC, where it is known: when the run began that did not finish. Drift has no date: nobody saw it happen."""
    held_by: str = ""
    """Id of the hold that keeps it from being mended; empty where none does."""
    reason: str = ""
    """Why it is known as noise."""
    is_mended: bool = False
    left: str = ""
    """Why a host that mends itself has not touched it; empty where nothing kept it from that."""


@dataclass(frozen=True)
class HostReport:
    """One host of the inventory."""

    name: str
    is_reached: bool = True
    why: str = ""
    """Why it was not reached, or why it could not be told what it has; empty otherwise."""
    release: str = ""
    """Id of what was last released to it, by its own record; empty where it has none."""
    differences: tuple[Difference, ...] = ()
    holds: tuple[Hold, ...] = ()
    """Those that stand."""
    error: str = ""
    """What failed there while it was mended."""

    @property
    def is_seen(self) -> bool:
        """Whether it is known what differs there."""
        return self.is_reached and not self.why


@dataclass(frozen=True)
class Reconciliation:
    """One reconcile of one inventory."""

    inventory: str
    outcome: Outcome
    """clean: nothing but what is intended or noise; found: drift or owed is left, or a step that a host which
    mends itself could not take; mended: all of it was; held: what is left of it is held by somebody; failed: a host was
    not reached, could not be read, or not be mended; yielded: somebody else was at work, and nothing was touched."""
    mend: Mend = "none"
    """What it was told to mend."""
    release: str = ""
    """Id on record of what serves; empty where nothing was ever released."""
    wanted: str = ""
    """Id of what the repository wants; equal to `release` where nothing is to be deployed."""
    commit: str = ""
    """Of the repository, with `-dirty` where files differ from it."""
    who: str = ""
    """user@host that ran it."""
    began: str = ""
    """UTC, to the second."""
    seconds: float = 0.0
    hosts: tuple[HostReport, ...] = ()
    """In inventory order; empty where it yielded before it looked."""
    errors: tuple[str, ...] = ()
    """What went wrong that is no single host's; why it yielded."""
    notes: tuple[str, ...] = ()
    """What a person is to know and to decide: a run that came to no end, a release that a schedule may not bring."""

    @property
    def exit_code(self) -> int:
        return EXIT[self.outcome]

    @property
    def holds(self) -> dict[str, tuple[Hold, tuple[str, ...]]]:
        """Id to the hold and the hosts that it stands on."""
        found: dict[str, tuple[Hold, tuple[str, ...]]] = {}
        for host in self.hosts:
            for hold in host.holds:
                found[hold.id] = (hold, (*found.get(hold.id, (hold, ()))[1], host.name))
        return found

    @property
    def unreachable(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts if not host.is_reached)

    def count(self, kind: Kind, host: str = "") -> int:
        """How many differences of that kind are left, on one host or on all."""
        return self._counts(host)[kind]

    def _counts(self, host: str) -> Counter[str]:
        return Counter(
            each.kind for one in self.hosts if host in ("", one.name) for each in one.differences if not each.is_mended
        )

    def concluded(self) -> Reconciliation:
        """The same with the outcome that follows from it."""
        return replace(self, outcome=self._outcome())

    def _outcome(self) -> Outcome:
        every = [each for host in self.hosts for each in host.differences]
        found = [each for each in every if each.kind in ("drift", "owed") or each.left]
        left = [each for each in found if not each.is_mended]
        if self.errors or any(not host.is_reached or host.why or host.error for host in self.hosts):
            return "failed"
        if any(not each.held_by for each in left):
            return "found"
        mended = any(each.is_mended for each in every)
        return "held" if left else "mended" if mended else "clean"

    def to_json(self) -> str:
        """Indented, with its format and exit code."""
        return json.dumps({"format": FORMAT, "exit_code": self.exit_code, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Reconciliation:
        """The same again. Raises ValueError for what is none, or of another format."""
        told = json.loads(text)
        if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
            raise ValueError(f"no reconciliation of format {FORMAT}")
        told.pop("exit_code", None)
        try:
            return cls(
                **{
                    **told,
                    "hosts": tuple(map(_host, told["hosts"])),
                    "errors": tuple(told["errors"]),
                    "notes": tuple(told["notes"]),
                }
            )
        except (TypeError, KeyError) as error:
            raise ValueError(f"no reconciliation: {error}") from error


def _host(told: Mapping[str, Any]) -> HostReport:
    differences = tuple(Difference(**each) for each in told["differences"])
    holds = tuple(Hold(**each) for each in told["holds"])
    return HostReport(**{**told, "differences": differences, "holds": holds})
