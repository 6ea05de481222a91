"""Whether a host is a container: its clock and most of its kernel are then somebody else's."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

# A systemd that was told so says it in this file (systemd.io/CONTAINER_INTERFACE); the program looks at more.
IN_CONTAINER = "[ -s /run/systemd/container ] || systemd-detect-virt --quiet --container"
"""A shell command that succeeds in a container."""


class ContainerFact(FactBase[bool]):
    """Whether the host is a container, which must not set its clock: it is the machine's beneath."""

    is_local = True

    def command(self) -> StringCommand:
        return script(f"if {IN_CONTAINER}; then echo yes; else echo no; fi")

    @staticmethod
    def default() -> bool:
        return False

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
