"""Accounts: what passwd and group say of one."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script


@dataclass(frozen=True)
class Account:
    """One account; `exists` is False for a name that nobody has."""

    exists: bool = False
    uid: int = -1
    comment: str = ""
    home: str = ""
    shell: str = ""
    groups: frozenset[str] = frozenset()
    """Supplementary groups; the primary one is not among them."""


_SCRIPT = """\
line=$(getent passwd -- "$1") || [ $? -eq 2 ] || exit 1
[ -n "$line" ] || exit 0
printf '%s\\n' "$line"
main=$(id -gn -- "$1") && id -Gn -- "$1" | tr ' ' '\\n' | grep -vxF -- "$main" || true
"""
"""getent ends with 2 where it knows no such name."""


class AccountFact(FactBase[Account]):
    """One account."""

    is_local = True

    def command(self, user: str) -> StringCommand:
        return script(_SCRIPT, user)

    @staticmethod
    def default() -> Account:
        return Account()

    def process(self, output: list[str]) -> Account:
        _, _, uid, _, comment, home, shell = output[0].split(":", 6)
        return Account(True, int(uid), comment, home, shell, frozenset(line for line in output[1:] if line))


class GroupMembers(FactBase[frozenset[str] | None]):
    """Who is listed in a group; None where there is no such group."""

    is_local = True

    def command(self, group: str) -> StringCommand:
        return script('getent group -- "$1" || [ $? -eq 2 ]', group)

    @staticmethod
    def default() -> frozenset[str] | None:
        return None

    def process(self, output: list[str]) -> frozenset[str] | None:
        return frozenset(name for name in output[0].split(":")[3].split(",") if name)
