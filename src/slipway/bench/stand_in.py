"""The words of deploy.py for pyinfra as it comes: the same deploy.py, the same roles and operations, no engine.

A configuration file calls `stand_in` in the place of Slipway's own. What each host is to get was worked out before
(`wanted`); here it is only brought: every fact is a command of its own, read twice, over pyinfra's own connection.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pyinfra import host

import slipway.deploy
from slipway.context import Context
from slipway.paths import project_root
from slipway.role import Role
from slipway.secrets import open_source


def stand_in(wanted: str, secrets: str) -> None:
    """From now on deploy.py brings what `wanted` holds, with the secrets of this source."""
    sys.path.insert(0, str(project_root()))
    bring = _Bringing(pickle.loads(Path(wanted).read_bytes()), secrets)  # noqa: S301 - our own, its owner's alone
    words: Any = slipway.deploy
    words.converge, words.once, words.roll = bring.everywhere, bring.once, bring.everywhere


class _Bringing:
    def __init__(self, wanted: Mapping[str, tuple[dict[str, Any], Context]], secrets: str) -> None:
        self._wanted, self._secrets = wanted, open_source(secrets, project_root())

    def everywhere(self, name: str, roles: Mapping[str, Any], *, through: Any = None) -> None:
        """Every role to this host, where it is in the group."""
        for group, part in roles.items():
            if group == "all" or group in host.groups:
                self._bring(part.role if isinstance(part, ModuleType) else part)

    def once(self, name: str, roles: Mapping[str, Any]) -> None:
        """The same for the first host of its group."""
        fleet = self._wanted[host.name][1].fleet
        mine = {group: part for group, part in roles.items() if fleet.group(group)[0].name == host.name}
        self.everywhere(name, mine)

    def _bring(self, role: Role) -> None:
        data, context = self._wanted[host.name]
        role.tasks(data[role.name], replace(context, secrets=self._secrets))
