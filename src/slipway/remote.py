"""Commands on a host outside of an operation: for gates, drains, probes and locks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from pyinfra.api import FactBase, StringCommand

from slipway.seam.connection import Connection
from slipway.seam.errors import ConnectionLost, FactFailed, RemoteFailed
from slipway.seam.hosts import forget_answers, renew_answers

if TYPE_CHECKING:
    from pyinfra.api.host import Host


__all__ = ["Remote", "RemoteFailed"]

T = TypeVar("T")


class Remote:
    """One connected host, as root."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.name: str = host.name

    def fact(self, fact: type[FactBase[T]], **arguments: Any) -> T:
        """A fact of the host, as it is unless the host has changed by itself since it was last asked.

        Raises RemoteFailed where it could not be read.
        """
        try:
            return self._host.get_fact(fact, **arguments)
        except FactFailed as error:
            raise RemoteFailed(self.name, [str(error)]) from error

    def fact_when(self, fact: type[FactBase[T]], **arguments: Any) -> tuple[T, float, float]:
        """The same, with the times of this machine's clock between which the host has answered."""
        asked = time.time()
        found = self.fact(fact, **arguments)
        between = self._host.connector.memory.between if isinstance(self._host.connector, Connection) else None
        return found, *(between or (asked, time.time()))

    def forget(self) -> None:
        """What it was asked before is asked anew."""
        forget_answers([self._host])

    def renew(self) -> None:
        """The same, and what is going to be needed of it is asked at once."""
        renew_answers([self._host])

    def run(self, command: StringCommand, timeout: int = 60, stdin: bytes | None = None) -> list[str]:
        """Standard output, line by line. `timeout` is seconds, held on the host itself. Raises RemoteFailed."""
        try:
            ok, output = self._host.run_shell_command(command, _sudo=True, _timeout=timeout, _stdin=stdin)
        except ConnectionLost as error:
            raise RemoteFailed(self.name, [str(error)]) from error
        if not ok:
            raise RemoteFailed(self.name, output.output_lines)
        return list(output.stdout_lines)
