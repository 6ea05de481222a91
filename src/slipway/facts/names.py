"""/etc/hosts, ours and others' lines."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script


class HostsFile(FactBase[str]):
    """Text of /etc/hosts as it is, a missing last line end included; empty where it is absent."""

    is_local = True

    def command(self) -> StringCommand:
        # The dot keeps what the line reader of the connection would drop: whether the last line is ended.
        return script('[ ! -e "$1" ] || cat -- "$1"; printf .', "/etc/hosts")

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return "\n".join(output)[:-1]


class HostName(FactBase[tuple[str, str]]):
    """The host's name: in force now, and after the next boot."""

    is_local = True

    def command(self) -> StringCommand:
        return script("cat /proc/sys/kernel/hostname; [ ! -f /etc/hostname ] || head -n 1 /etc/hostname")

    @staticmethod
    def default() -> tuple[str, str]:
        return ("", "")

    def process(self, output: list[str]) -> tuple[str, str]:
        return (output[0], output[1] if len(output) > 1 else "")
