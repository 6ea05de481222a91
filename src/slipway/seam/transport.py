"""How one command is exchanged with a host: channels, each for one command, with paramiko's words for them."""

from __future__ import annotations

from typing import Any, Protocol

from paramiko import SSHException


class Transport(Protocol):
    """What a connection is made of."""

    @property
    def is_open(self) -> bool: ...

    @property
    def why_closed(self) -> str:
        """Why nothing can be asked any more."""

    def channel(self) -> Any:
        """For one command: paramiko's Channel, or what answers as one. Raises SSHException, OSError."""

    def begin(self, channel: Any, words: str) -> None:
        """Starts the command on its channel. What it reads may follow at once: nobody waits for the host's word that it
        has started; where it refuses to, the channel ends. Raises SSHException, OSError."""

    def close(self) -> None: ...


class _NotOpen:
    is_open = False
    why_closed = "the connection is not open"

    def channel(self) -> Any:
        raise SSHException(self.why_closed)

    def begin(self, channel: Any, words: str) -> None:
        raise SSHException(self.why_closed)

    def close(self) -> None: ...


NOT_OPEN = _NotOpen()
"""Of a connection that was never made."""
