"""What a host is made of."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.fleet import NOMINAL, Machine

_SCRIPT = """\
. /etc/os-release
echo "distribution=$ID"; echo "version=$VERSION_ID"; echo "codename=$VERSION_CODENAME"
echo "architecture=$(dpkg --print-architecture)"
echo "cpus=$(nproc)"
while read -r key value unit; do [ "$key" = MemTotal: ] && echo "memory_kb=$value"; done < /proc/meminfo
for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  [ -r "$f" ] && read -r limit < "$f" && [ "$limit" != max ] && echo "limit_bytes=$limit"
done
true
"""


class MachineFact(FactBase[Machine]):
    """Distribution, architecture, processors and memory."""

    is_local = True

    def command(self) -> StringCommand:
        return script(_SCRIPT)

    @staticmethod
    def default() -> Machine:
        return NOMINAL

    def process(self, output: list[str]) -> Machine:
        said = dict(line.split("=", 1) for line in output if "=" in line)
        memory = int(said["memory_kb"]) // 1024
        limit = int(said.get("limit_bytes", memory << 20)) >> 20
        return Machine(
            said["distribution"], said["version"], said["codename"], said["architecture"],
            int(said["cpus"]), min(memory, limit),
        )  # fmt: skip
