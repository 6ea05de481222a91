"""A connection made for one command: what an established one still may do says nothing about the next log-in."""

from __future__ import annotations

import contextlib

import gevent
from paramiko import AuthenticationException, SSHException
from pyinfra.api import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

from slipway.seam.connection import Connection


class NotLetIn(Exception):
    """No new connection came about, or root could not be had through it."""

    def __init__(self, why: str, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
        """Whether the host has answered and refused us; asking again changes nothing."""


def run_anew(host: Host, command: StringCommand, seconds: int) -> list[str]:
    """Standard output of a command, as root, through a new TCP connection and a new log-in. Raises NotLetIn."""
    if not isinstance(host.connector, Connection):
        return _run_here(host, command)
    connection = type(host.connector)(host.state, host)
    try:
        with gevent.Timeout(seconds, TimeoutError(f"no answer within {seconds} s")):
            connection.connect()
            ok, output = connection.run_shell_command(command, _sudo=True, _timeout=seconds)
    except ConnectError as error:
        raise NotLetIn(str(error), isinstance(error.__context__, AuthenticationException)) from error
    except (PyinfraError, SSHException, OSError, EOFError) as error:
        raise NotLetIn(str(error) or type(error).__name__) from error
    finally:
        # It may be half open, or none.
        with contextlib.suppress(Exception):
            connection.disconnect()
    return _said(ok, output)


def _run_here(host: Host, command: StringCommand) -> list[str]:
    """The same where no SSH is between us and the host (pyinfra's @local): nothing can cut that off."""
    return _said(*host.run_shell_command(command, _sudo=True))


def _said(ok: bool, output: CommandOutput) -> list[str]:
    if not ok:
        raise NotLetIn(f"logged in, but not as root: {' / '.join(output.output_lines[-3:])}")
    return list(output.stdout_lines)
