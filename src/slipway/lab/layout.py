"""Names, addresses and paths of one lab: computed from its name, never asked of an engine."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from slipway.lab.hosts import hosts_named
from slipway.paths import state_dir
from slipway.problems import BadInput, Problem

DEFAULT_NAME = "lab"
NAME_VARIABLE = "SLIPWAY_LAB"
NETWORK = "10.77"
"""First half of every lab's addresses; the third octet is the lab's own."""
GATEWAY_OCTET = 1
APT_CACHE_OCTET = 2
LABEL = "slipway.lab"
"""Docker label on whatever a lab makes; its value is the lab's name."""
LABEL_STATE = "slipway.lab.state"
"""Docker label: the state directory of the lab that made it, which tells two checkouts apart."""
_VALID_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


class Layout(NamedTuple):
    """Where everything of the lab called `name` lies."""

    name: str
    state: Path

    @property
    def octet(self) -> int:
        """Third octet of the lab's addresses: as settled at its first `up`, before that the one its name asks for."""
        settled = self.state / "octet"
        return int(settled.read_text()) if settled.is_file() else preferred_octet(self.name)

    @property
    def subnet(self) -> str:
        return f"{NETWORK}.{self.octet}.0/24"

    def at(self, octet: int) -> str:
        """The lab's address that ends in `octet`."""
        return f"{NETWORK}.{self.octet}.{octet}"

    def address(self, host: str) -> str:
        """The fixed address of a host. Raises BadInput for an unknown one."""
        return self.at(hosts_named([host])[0].octet)

    @property
    def network(self) -> str:
        return f"slipway-{self.name}"

    def container(self, host: str) -> str:
        return f"slipway-{self.name}-{host}"

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.name, LABEL_STATE: str(self.state)}

    @property
    def ssh_key(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets.yaml"

    @property
    def tls(self) -> Path:
        """Holds ca.crt, server.crt and server.key."""
        return self.state / "tls"


def layout(name: str | None = None) -> Layout:
    """The lab of this name, else of SLIPWAY_LAB, else the default one. Raises BadInput for a bad name."""
    chosen = name or os.environ.get(NAME_VARIABLE) or DEFAULT_NAME
    if not _VALID_NAME.fullmatch(chosen):
        hint = "up to 20 lower-case letters, digits and dashes, a letter first"
        raise BadInput([Problem("lab", f"{chosen!r} cannot be a lab's name", hint)])
    return Layout(chosen, state_dir() / "lab" / chosen)


def preferred_octet(name: str) -> int:
    """The default lab is 10.77.0.0/24; any other name asks for the same one of 1 to 254 every time."""
    return 0 if name == DEFAULT_NAME else zlib.crc32(name.encode()) % 254 + 1


def free_octet(name: str, taken: set[int]) -> int:
    """The octet the name asks for, or the next free one. The default lab's is fixed: inventories may spell it out.

    Raises BadInput where none is left.
    """
    wanted = preferred_octet(name)
    tries = [wanted] if name == DEFAULT_NAME else [(wanted - 1 + step) % 254 + 1 for step in range(254)]
    free = next((octet for octet in tries if octet not in taken), None)
    if free is None:
        hint = "see `docker network ls`; remove what uses it, or choose another lab with --name"
        raise BadInput([Problem("lab", f"a network of another owner uses {NETWORK}.{wanted}.0/24", hint)])
    return free
