"""The releases that a fleet has on record: in which order they served, and which one a name means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.facts.releases import Attempt, ReleaseRecords
from slipway.order import merged
from slipway.problems import BadInput, Problem, did_you_mean


@dataclass(frozen=True)
class Known:
    """One release, as the hosts that keep it have it on record."""

    id: str
    hosts: Mapping[str, Mapping[str, Any]]
    """Host name to its record, in inventory order."""
    serves_on: tuple[str, ...] = ()
    has_served: bool = True
    """Whether it was ever current anywhere; one that was only staged has not been."""

    @property
    def record(self) -> Mapping[str, Any]:
        """As the first host has it."""
        return next(iter(self.hosts.values()))

    @property
    def kept_by(self) -> tuple[str, ...]:
        return tuple(self.hosts)

    @property
    def release(self) -> str:
        """The release's own id, which its containers have; other configurations of it begin with the same."""
        return self.id.partition("-")[0]


@dataclass(frozen=True)
class History:
    """Everything on record, in the order in which it became current; what never did comes last."""

    known: Mapping[str, Known] = field(default_factory=dict)
    attempt: Attempt | None = None
    """A run that has not come to its end."""

    @property
    def serving(self) -> Known | None:
        """The newest that is current anywhere."""
        return next((each for each in self.newest_first if each.serves_on), None)

    @property
    def newest_first(self) -> list[Known]:
        return list(self.known.values())[::-1]

    def find(self, name: str) -> Known:
        """What has that id, or an id that begins so; of one release's configurations the newest. Raises BadInput."""
        found = [each for identity, each in self.known.items() if name and identity.startswith(name)]
        if found and len({each.release for each in found}) == 1:
            served = [each for each in found if each.has_served]
            return (served or found)[-1]
        what = "no host keeps it" if not found else f"could be {', '.join(each.id for each in found)}"
        raise BadInput([Problem(f"release {name}", what, did_you_mean(name, self.known) if self.known else "")])

    def attempted(self, name: str) -> Known:
        """What the run that has not come to its end was to bring, where its id begins so; else as `find`."""
        if self.attempt and self.attempt.id.startswith(name) and self.attempt.id in self.known:
            return self.known[self.attempt.id]
        return self.find(name)

    def before(self) -> Known:
        """Where a rollback goes that is not told where. Raises BadInput where there is nothing to go back to.

        To what was current before what serves now; while a run has not come to its end, to what that one was going
        back to, or to what serves.
        """
        served = [each for each in self.known.values() if each.has_served]
        serving, attempt = self.serving, self.attempt
        if attempt and attempt.way == "rollback" and attempt.id in self.known:
            return self.known[attempt.id]
        if serving and attempt and attempt.id != serving.id:
            return serving
        earlier = served[: served.index(serving)] if serving else served
        if not earlier:
            hint = "./slipway history INVENTORY shows what is on record" if served else "deploy a release first"
            raise BadInput([Problem("rollback", "no host has a release on record to go back to", hint)])
        return earlier[-1]


def history(records: Mapping[str, ReleaseRecords]) -> History:
    """What all hosts know together; by host name, in inventory order."""
    known: dict[str, Known] = {}
    order = merged(found.order for found in records.values())
    staged = sorted({identity for found in records.values() for identity in found.records} - set(order))
    for identity in (*staged, *order):
        hosts = {name: found.records[identity] for name, found in records.items() if identity in found.records}
        if hosts:
            serves = tuple(name for name in hosts if records[name].current == identity)
            has_served = any(record.get("when") for record in hosts.values())
            known[identity] = Known(identity, hosts, serves, has_served)
    by_service = sorted(known.items(), key=lambda item: not item[1].has_served)  # stable: the order stays
    attempts = [found.attempt for found in records.values() if found.attempt]
    return History(dict(by_service), max(attempts, key=lambda each: each.when, default=None))
