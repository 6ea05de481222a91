"""Goes from one version of the house to the other and back, and lets the controller die, or the host, on the way."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.house import LONGEST_SECONDS, OTHER, House, Version
from tests.faults.state import differences, state


@dataclass(frozen=True)
class Strike:
    """A remote call of the controller, and whether it is struck before it or 30 ms into it."""

    when: str
    number: int | str


class Sweep:
    """What the house is at, and what either version comes to when nothing is in the way."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.at: Version = "A"
        self.wanted: dict[Version, list[str]] = {"A": house.first}
        self.calls: dict[Version, list[dict[str, Any]]] = {}

    def unbroken(self) -> None:
        """To the other version with nothing in the way: what it comes to, and the calls that it takes."""
        self.set_out()
        process = self.house.struck("before", 0)
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        assert process.returncode == 0, said
        self.calls[self.at] = self.house.calls()
        self.wanted.setdefault(self.at, self.now())

    def killed(self, death: Strike) -> list[str]:
        """To the other version with a controller that dies; what is wrong after the next run."""
        self.set_out()
        process = self.house.struck(death.when, death.number)
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        if process.returncode == 0:
            return []  # it had fewer calls than that
        if process.returncode != -signal.SIGKILL:
            return [f"{death}: ended with {process.returncode} instead of being killed: {said[-3000:]}"]
        return [f"{death}, to {self.at}: {fault}" for fault in self.finished()]

    def interrupted(self, strike: Strike, accident: Callable[[], object]) -> subprocess.CompletedProcess[str]:
        """To the other version; at that call the controller stands still, the accident happens, and it goes on."""
        self.set_out()
        process = self.house.struck(strike.when, strike.number, "stop")
        if stands_still(process):
            accident()
            process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, said)

    def finished(self) -> Iterator[str]:
        """What is wrong with what the next run makes of it, and with the one after that, which is to change nothing."""
        done = self.house.slipway("deploy", "house")
        if done.returncode:
            yield f"the next run fails: {done.stdout}{done.stderr}"
            self.house.deploy()  # or nothing can be said of what comes after
        yield from differences(self.wanted[self.at], self.now())
        before = self._moments()
        again = self.house.slipway("deploy", "house")
        if again.returncode or "No changes: all as wanted." not in again.stderr:
            yield f"the run after that is not without changes: {again.stdout}{again.stderr}"
        yield from differences(before, self._moments())

    def changing(self) -> list[dict[str, Any]]:
        """Calls of the way to B that may change the host. Before any other it is as it was after the one before."""
        if "B" not in self.calls:
            self.go("A")
            self.unbroken()
        return [call for call in self.calls["B"] if call["changes"]]

    def go(self, version: Version) -> None:
        """The house is at this version, whatever it was at."""
        if self.at != version:
            self.at = version
            self.house.choose(version)
            self.house.deploy()

    def now(self) -> list[str]:
        return state(self.house.lab, self.house.host)

    def set_out(self) -> None:
        """The project says the other version, and the host knows nothing of it."""
        self.at = OTHER[self.at]
        self.house.choose(self.at)
        self.house.forget()

    def _moments(self) -> list[str]:
        """When whatever runs was started: a run without changes starts nothing again."""
        return self.house.told(_MOMENTS).splitlines()


def stands_still(process: subprocess.Popen[str]) -> bool:
    """Waits until it has stopped itself; False where it ended without. Asked of the kernel: gevent's loop takes the
    signal that would tell its parent."""
    while process.poll() is None:
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return True
        time.sleep(0.02)  # nothing else tells
    return False


_MOMENTS = """
docker ps -aq | xargs -r docker inspect --format '{{.Name}} {{.State.StartedAt}}'
systemctl show -p Id,ActiveEnterTimestamp,MainPID docker nginx redis-server postgresql@17-main systemd-journald
pgrep -x nginx
"""
