"""What can go wrong between us and a host, so that it is never taken for an answer."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.util import OutputLine


class FactFailed(PyinfraError):
    """A fact could not be read. "Could not tell" is never "no": the operation that asked stops on that host."""


class HostUnreachable(PyinfraError):
    """One or more hosts did not answer. Nothing was changed anywhere."""

    def __init__(self, hosts: dict[str, str], reached: Sequence[str] = ()) -> None:
        self.hosts, self.reached = hosts, tuple(reached)
        told = "\n".join(f"  {name}: {why}" for name, why in hosts.items())
        super().__init__(f"unreachable, nothing was changed anywhere:\n{told}")


class RemoteFailed(Exception):
    """A command on a host ended with an error. Says on which host and what it printed last."""

    def __init__(self, host: str, output: list[str]) -> None:
        self.host, self.output = host, output
        super().__init__(f"{host}: {' / '.join(output[-5:]) or 'failed without a word'}")


class LockLost(RemoteFailed):
    """The lock of a host is gone: the connection broke, we were silent for too long, or it was cleared away there.

    No further change is made.
    """

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, [why])


class TooLate(RemoteFailed):
    """A step was not begun: the lease that it stood under was over. Nothing was changed by it."""

    def __init__(self, host: str) -> None:
        super().__init__(host, ["the lease for this step was over before it could begin; it was not begun"])


class ConnectionLost(PyinfraError):
    """A command was begun and nobody can tell how it ended: the connection broke, or no answer came in time.

    No OSError, no SSHException: pyinfra would take those for an ordinary failure and try again.
    """

    def __init__(self, why: str = "", heard: Sequence[OutputLine] = ()) -> None:
        super().__init__(why)
        self.heard = tuple(heard)
        """What had come of its output until then."""
