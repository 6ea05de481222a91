"""What can go wrong between us and a host, so that it is never taken for an answer."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.exceptions import PyinfraError


class FactFailed(PyinfraError):
    """A fact could not be read. "Could not tell" is never "no": the operation that asked stops on that host."""


class HostUnreachable(PyinfraError):
    """One or more hosts did not answer. Nothing was changed anywhere."""

    def __init__(self, hosts: dict[str, str], reached: Sequence[str] = ()) -> None:
        self.hosts, self.reached = hosts, tuple(reached)
        told = "\n".join(f"  {name}: {why}" for name, why in hosts.items())
        super().__init__(f"unreachable, nothing was changed anywhere:\n{told}")
