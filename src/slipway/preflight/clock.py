"""Clocks: how far a host's is from the controller's, and whose is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.preflight.findings import CONTROLLER, WARNING, Finding

if TYPE_CHECKING:
    from slipway.preflight.subject import Subject

WARN_SECONDS = 5.0
"""Logs of two hosts cannot be read side by side any more; nothing of ours goes by the time of day."""
REFUSED_SECONDS = 3600.0
"""From about here on apt and TLS refuse what is "not valid yet" or "expired"."""
NTP = "see `timedatectl` there; ntp_daemon and ntp_servers of the role base say who keeps the time"


@dataclass(frozen=True)
class Offset:
    """How far a clock is ahead of the controller's, in seconds."""

    seconds: float = 0.0
    margin: float = 0.0
    """Half of the way there and back: it may be that much more or less."""

    @property
    def is_far(self) -> bool:
        """Whether it is off for certain."""
        return abs(self.seconds) - self.margin > WARN_SECONDS

    def __str__(self) -> str:
        word = "ahead of" if self.seconds > 0 else "behind"
        return f"{spoken(abs(self.seconds))} {word} the controller"


def offset_of(asked: float, answered: float, began: float, ended: float) -> Offset:
    """From the controller's clock as it asked and had the answer, and the host's as its script began and ended.

    What of the time between was neither is the way, taken to be as long there as back.
    """
    way = max(0.0, (answered - asked) - (ended - began))
    return Offset(began - (asked + way / 2), way / 2)


def spoken(seconds: float) -> str:
    """`3 s`, `4 min`, `5 h`, `6 days`."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def clock(host: Subject) -> Iterator[Finding]:
    """Whether somebody keeps the host's time. How far it is off is judged over the fleet: see `clocks`."""
    if host.facts.keeps_time is False and not host.facts.is_container:
        yield host.warning("clock", "no time service has set the clock since the boot", NTP)


def clocks(offsets: Mapping[str, Offset]) -> Iterable[Finding]:
    """Hosts whose clock is far from the controller's; the controller itself where all are off alike."""
    off = {name: offset for name, offset in offsets.items() if offset.is_far}
    if len(off) > 1 and len(off) == len(offsets) and _agree(list(off.values())):
        ahead = min((offset.seconds for offset in off.values()), key=abs)
        what = f"all hosts agree, and this machine's clock is {spoken(abs(ahead))} {'behind' if ahead > 0 else 'ahead'}"
        return [Finding(CONTROLLER, "clock", WARNING, what, "set this machine's clock: timedatectl")]
    return [Finding(name, "clock", WARNING, f"its clock is {offset}", _advice(offset)) for name, offset in off.items()]


def _agree(offsets: list[Offset]) -> bool:
    seconds = [offset.seconds for offset in offsets]
    return max(seconds) - min(seconds) < WARN_SECONDS + 2 * max(offset.margin for offset in offsets)


def _advice(offset: Offset) -> str:
    if abs(offset.seconds) < REFUSED_SECONDS:
        return NTP
    return f"set it before packages are to be installed, apt and TLS refuse wrong times; {NTP}"
