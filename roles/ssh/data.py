"""Data of the ssh role."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from slipway.addresses import Address
from slipway.role import RoleData

FIELDS = {
    "port": "say it in `ports`",
    "listenaddress": "say it in `listen_addresses`",
    "permitrootlogin": "say it in `permit_root_login`",
    "passwordauthentication": "say it in `password_authentication`",
    "kbdinteractiveauthentication": "`password_authentication` decides it too",
    "challengeresponseauthentication": "`password_authentication` decides it",
    "allowusers": "say it in `allow_users`",
    "allowgroups": "say it in `allow_groups`",
    "maxauthtries": "say it in `max_auth_tries`",
    "clientaliveinterval": "say it in `client_alive_interval`",
    "clientalivecountmax": "say it in `client_alive_count_max`",
    "match": "a block would swallow what follows it; put it into a drop-in of your own",
    "include": "put the file into /etc/ssh/sshd_config.d, where sshd finds it",
}

Port = Annotated[int, Field(ge=1, le=65535)]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*?!-]+(@[A-Za-z0-9_.:*?/!-]+)?$")]


class Ssh(RoleData):
    """A drop-in of sshd's configuration. Left alone unless enabled."""

    enabled: bool = False
    """Whether sshd's settings are ours. Taken away, the drop-in goes, and sshd is what the distribution says again."""
    ports: list[Port] = []
    """Ports it listens on; sshd's own (22) where empty. The inventory has to connect to one of them."""
    listen_addresses: list[Address] = []
    """Addresses it listens on; all where empty."""
    permit_root_login: Literal["no", "prohibit-password", "forced-commands-only", "yes"] = "prohibit-password"
    """Whether root logs in, and how."""
    password_authentication: bool = False
    """Whether a password is enough to log in, typed or asked for by PAM; keys only where it is not."""
    allow_users: list[Pattern] = []
    """Only these accounts may log in, as sshd's patterns; everybody where empty. Slipway's own is needed."""
    allow_groups: list[Pattern] = []
    """Only members of these groups may log in; everybody where empty."""
    max_auth_tries: Annotated[int, Field(ge=1, le=100)] = 6
    """Tries of one connection; each key that a client offers is one."""
    client_alive_interval: Annotated[int, Field(ge=0, le=3600)] = 60
    """Seconds of silence after which a client is asked whether it is there; 0 is never."""
    client_alive_count_max: Annotated[int, Field(ge=0, le=100)] = 3
    """Questions without an answer, after which its connection is closed."""
    settings: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")], str | list[str]] = {}
    """Anything else of sshd_config, by its own names; a list gives a line for each."""
    confirm_seconds: Annotated[int, Field(ge=15, le=600)] = 30
    """After a change, seconds until the host undoes it by itself unless Slipway has logged in anew."""

    @field_validator("settings")
    @classmethod
    def _have_no_field(cls, settings: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for key, value in settings.items():
            if key.lower() in FIELDS:
                raise ValueError(f"{key!r} does not belong here: {FIELDS[key.lower()]}")
            for line in [value] if isinstance(value, str) else value:
                if not line.strip() or re.search(r"[\x00-\x1f\x7f]", line):
                    raise ValueError(f"{key!r} must be one line, and not empty")
        return settings
