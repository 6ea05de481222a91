"""Who runs side by side: the files that each runs from, and the words that start it. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from slipway.bench import in_ansible
from slipway.bench.resources import SITE, SITE_NAME
from slipway.bench.targets import USER, Keys, Target, inventory, ssh_options

FLOOR, SLIPWAY, PYINFRA, ANSIBLE, MITOGEN = "floor", "slipway", "pyinfra", "ansible", "mitogen"


class Contestant(NamedTuple):
    """One of those that are measured."""

    key: str
    title: str
    needs_ansible: bool = False
    deploys: bool = True
    """Whether it brings the resources; the floor only says `true`."""


CONTESTANTS = (
    Contestant(FLOOR, "ssh true", deploys=False),
    Contestant(SLIPWAY, "Slipway"),
    Contestant(PYINFRA, "stock pyinfra"),
    Contestant(ANSIBLE, "Ansible", needs_ansible=True),
    Contestant(MITOGEN, "Ansible, Mitogen", needs_ansible=True),
)


class Place(NamedTuple):
    """What a contestant works with."""

    targets: list[Target]
    keys: Keys
    ansible: Path | None = None
    """The environment that holds Ansible and Mitogen; None where nobody needs it."""


class Start(NamedTuple):
    """What is run in the project's directory."""

    words: list[str]
    stdin: str = ""


def project_of(contestant: str, place: Place) -> dict[str, str]:
    """Relative path to content of the files that it runs from. Raises FileNotFoundError where Mitogen is missing."""
    return _PROJECTS[contestant](place)


def start_of(contestant: str, place: Place) -> Start:
    """How it is started."""
    return _STARTS[contestant](place)


# Each from the beginning: a new process, a new connection, none that is shared. `wait PID` passes a failure on.
_FLOOR = """\
set -u
user=$1 options=$2; shift 2
started=
while [ $# -gt 0 ]; do
  ssh $options -p "$2" "$user@$1" true < /dev/null &
  started="$started $!"
  shift 2
done
failed=0
for process in $started; do wait "$process" || failed=1; done
exit "$failed"
"""


def start_floor(targets: list[Target], keys: Keys) -> Start:
    """`ssh HOST true` on all hosts at once."""
    places = [word for each in targets for word in (each.reached, str(each.port))]
    return Start(["sh", "-c", _FLOOR, "floor", USER, " ".join(ssh_options(keys)), *places])


_IN_SLIPWAY = """\
from slipway.bench.in_slipway import role
from slipway.deploy import converge

converge("Bench", {"bench": role})
"""

_IN_PYINFRA = """\
from slipway.bench.in_pyinfra import bring

bring()
"""


def _slipway(place: Place) -> dict[str, str]:
    hosts = inventory(place.targets, place.keys)
    return {"deploy.py": _IN_SLIPWAY, "inventories/bench.py": hosts, f"templates/bench/{SITE_NAME}": SITE}


def _pyinfra(place: Place) -> dict[str, str]:
    return {"deploy.py": _IN_PYINFRA, "inventory.py": inventory(place.targets, place.keys), SITE_NAME: SITE}


def _mitogen(place: Place) -> dict[str, str]:
    found = sorted((place.ansible or Path()).glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))
    if not found:
        raise FileNotFoundError(f"no ansible_mitogen in {place.ansible}")
    return in_ansible.project(place.targets, place.keys, found[-1])


_PROJECTS: dict[str, Callable[[Place], dict[str, str]]] = {
    FLOOR: lambda place: {},
    SLIPWAY: _slipway,
    PYINFRA: _pyinfra,
    ANSIBLE: lambda place: in_ansible.project(place.targets, place.keys),
    MITOGEN: _mitogen,
}


def _start_slipway(place: Place) -> Start:
    # Its preflight looks at light hosts as at any, and is told that they may be without systemd.
    return Start([sys.executable, "-m", "slipway", "deploy", "bench", "--despite", "system"])


def _start_pyinfra(place: Place) -> Start:
    # Without -y it looks for changes first, and then waits for Enter.
    return Start([str(Path(sys.executable).with_name("pyinfra")), "inventory.py", "deploy.py"], stdin="\n")


def _start_ansible(place: Place) -> Start:
    return Start([str((place.ansible or Path()) / "bin/ansible-playbook"), "playbook.json"])


_STARTS: dict[str, Callable[[Place], Start]] = {
    FLOOR: lambda place: start_floor(place.targets, place.keys),
    SLIPWAY: _start_slipway,
    PYINFRA: _start_pyinfra,
    ANSIBLE: _start_ansible,
    MITOGEN: _start_ansible,
}
