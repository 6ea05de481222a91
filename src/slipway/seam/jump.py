"""Jump hosts (`ProxyJump` in an ssh_config): one connection to each, shared by all hosts behind it.

pyinfra opens one for every host: a hundred hosts behind a bastion are a hundred log-ins there at once, of which its
sshd drops some (MaxStartups), and as many processes on it for the whole run.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Hashable
from typing import Any

import pyinfra.connectors.sshuserclient.client as ssh_client
from gevent.event import AsyncResult
from paramiko import SSHException


class JumpHost:
    """What pyinfra makes for each hop: connects where nobody has yet, else uses the connection that is there."""

    def connect(self, hostname: str, sock: Any = None, **options: Any) -> None:
        """Raises SSHException naming the jump host."""
        before = sock.get_transport() if sock is not None else None
        key = hostname, before, repr(sorted(options.items()))
        if not _is_open(_clients.get(key)):
            _clients[key] = made = AsyncResult()
            try:
                made.set(_connected(hostname, sock, options))
            except Exception as error:
                made.set_exception(SSHException(f"jump host {hostname}: {error or type(error).__name__}"))
            except BaseException:
                made.set_exception(SSHException(f"jump host {hostname}: interrupted"))
                raise
        elif sock is not None:
            sock.close()  # opened for us through the hop before; the connection that is there has its own
        self._client = _clients[key].get()

    def gateway(self, *place: Any, **options: Any) -> Any:
        """A channel through it to the next host."""
        return self._client.gateway(*place, **options)


_clients: dict[Hashable, AsyncResult[Any]] = {}
"""By name, what lies before it, and how it is reached. A result that is not there yet is waited for."""

_Client: Any = ssh_client.SSHClient


def _is_open(made: AsyncResult[Any] | None) -> bool:
    """Whether there is a connection to use, or one that is being made."""
    if made is None or not made.ready():
        return made is not None
    transport = made.value.get_transport() if made.successful() else None
    return transport is not None and transport.is_active()


def _connected(hostname: str, sock: Any, options: dict[str, Any]) -> Any:
    client = _Client()
    client.connect(hostname, sock=sock, **options)
    without_delay(client.get_transport())
    return client


def without_delay(transport: Any) -> None:
    """Sends each packet at once. paramiko leaves Nagle's algorithm on: 44 to 50 ms a command instead of 2 to 4.

    What goes through a jump host or a ProxyCommand has no socket of its own; the jump host's has been set.
    """
    if hasattr(transport.sock, "setsockopt"):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def leave_jump_hosts() -> None:
    """Ends every connection to a jump host."""
    while _clients:
        _, made = _clients.popitem()
        with contextlib.suppress(Exception):  # whatever is the matter with it, it is of no use any more
            made.get(block=False).close()


def install() -> None:
    """pyinfra makes its hops of this."""
    # The name that hops are made by; hosts' own clients were named before.
    ssh_client.SSHClient = JumpHost  # type: ignore[assignment,misc]
