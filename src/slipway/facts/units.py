"""What systemd says of a unit."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import ALL_AT_ONCE, script


@dataclass(frozen=True)
class UnitState:
    """As `systemctl show` has it; a unit that nobody knows has `load` not-found."""

    load: str = "not-found"
    active: str = "inactive"
    file_state: str = ""
    sub: str = ""

    @property
    def is_running(self) -> bool:
        """One that systemd is about to start again after a crash is not."""
        return self.active in ("active", "reloading", "activating") and not self.sub.startswith("auto-restart")

    @property
    def is_enabled(self) -> bool:
        return self.file_state in ("enabled", "enabled-runtime", "alias")

    @property
    def is_masked(self) -> bool:
        return self.file_state.startswith("masked")

    @property
    def can_be_enabled(self) -> bool:
        return self.file_state not in ("static", "generated", "indirect", "transient")


_SHOW = "systemctl show --property=LoadState,ActiveState,SubState,UnitFileState --"
_SCRIPT = f'exec {_SHOW} "$1"'
# An empty line parts what it shows of two units.
ALL_AT_ONCE[_SCRIPT] = """\
end='
'
shown=$(@SHOW@ "$@" 2> /dev/null) || exit 1
rest=$shown blocks=1
while [ "${rest#*"$end$end"}" != "$rest" ]; do rest=${rest#*"$end$end"} blocks=$((blocks + 1)); done
[ "$blocks" = $# ] || exit 1
for _ do
  printf '%s\\n' "${shown%%"$end$end"*}"; shown=${shown#*"$end$end"}
  told 0
done
""".replace("@SHOW@", _SHOW)


class UnitFact(FactBase[UnitState]):
    """State of one unit."""

    def command(self, unit: str) -> StringCommand:
        return script(_SCRIPT, unit)

    @staticmethod
    def default() -> UnitState:
        return UnitState()

    def process(self, output: list[str]) -> UnitState:
        said = dict(line.split("=", 1) for line in output if "=" in line)
        return UnitState(*(said.get(name, "") for name in ("LoadState", "ActiveState", "UnitFileState", "SubState")))
