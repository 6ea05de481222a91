"""Commands on a host outside of an operation: for gates, drains, probes and locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pyinfra.api import FactBase, StringCommand

from slipway.seam.errors import FactFailed

if TYPE_CHECKING:
    from pyinfra.api.host import Host


T = TypeVar("T")


class RemoteFailed(Exception):
    """A command on a host ended with an error. Says on which host and what it printed last."""

    def __init__(self, host: str, output: list[str]) -> None:
        self.host, self.output = host, output
        super().__init__(f"{host}: {' / '.join(output[-5:]) or 'failed without a word'}")


class Remote:
    """One connected host, as root."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.name: str = host.name

    def fact(self, fact: type[FactBase[T]], **arguments: Any) -> T:
        """A fact of the host, read now. Raises RemoteFailed where it could not be."""
        try:
            return self._host.get_fact(fact, **arguments)
        except FactFailed as error:
            raise RemoteFailed(self.name, [str(error)]) from error

    def run(self, command: StringCommand, timeout: int = 60, stdin: bytes | None = None) -> list[str]:
        """Standard output, line by line. `timeout` is seconds, held on the host itself. Raises RemoteFailed."""
        ok, output = self._host.run_shell_command(command, _sudo=True, _timeout=timeout, _stdin=stdin)
        if not ok:
            raise RemoteFailed(self.name, output.output_lines)
        return list(output.stdout_lines)
