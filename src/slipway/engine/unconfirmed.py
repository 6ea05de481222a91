"""What a run that died has left unconfirmed is undone before the next one looks at anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent
from pyinfra.api import FactBase, StringCommand
from pyinfra.api.host import Host

from slipway.engine.lock import LockFailed
from slipway.engine.prepare import PrepareFailed
from slipway.facts.files import script
from slipway.ops.guarded_script import GUARDED, SETTLE
from slipway.remote import Remote, RemoteFailed


class UnconfirmedFact(FactBase[bool]):
    """Whether a change waits for its confirmation, or was undone and that has not been told."""

    def command(self) -> StringCommand:
        return script('[ ! -d "$1" ] || echo left', GUARDED)

    @staticmethod
    def default() -> bool:
        return False

    def process(self, output: list[str]) -> bool:
        return output == ["left"]


def undo_unconfirmed(hosts: Sequence[Host], begun: Callable[[], None], say: Callable[[str], None]) -> None:
    """No change waits for its confirmation on any of these hosts, and what was undone has been told, once.

    Called with their locks held: nobody is left who would confirm it. `begun` is called before anything is undone.
    Raises PrepareFailed where one cannot be undone.
    """
    jobs = {host: gevent.spawn(_settle, host, begun) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    for host, job in jobs.items():
        for line in job.value:
            what, when, _ = line.split(" ", 2)
            say(f"{host.name}: the host has undone a change of {what} that nobody confirmed ({when})")


def _settle(host: Host, begun: Callable[[], None]) -> list[str]:
    remote = Remote(host)
    try:
        if not remote.fact(UnconfirmedFact):
            return []
        begun()
        return remote.run(script(SETTLE, GUARDED))
    except LockFailed:
        raise
    except RemoteFailed as error:
        what = f"{error}\n  HINT: on the host: journalctl -t slipway; what was there before is kept in {GUARDED}/was"
        raise PrepareFailed(what) from error
