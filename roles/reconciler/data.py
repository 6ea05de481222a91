"""Data of the reconciler role. It concerns every host, which lets the reconciler in: it stands in group_data/all.py
or in the file of the inventory's own name."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from roles.base.data import Size
from roles.base.users import UserName
from slipway.addresses import Address
from slipway.role import RoleData

GROUP = "reconcilers"
"""The inventory's group of hosts that reconcile. Nothing of this role is anywhere while nobody is in it."""

_KEY = r"(?:sk-)?(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521))(?:@openssh\.com)?[ \t]+[A-Za-z0-9+/]+=*"


def _is_known_host(line: str) -> str:
    if "PRIVATE KEY" in line or not re.fullmatch(rf"(@cert-authority[ \t]+)?\S+[ \t]+{_KEY}([ \t][^\r\n\0]*)?", line):
        raise ValueError("no line of known_hosts; as ssh-keyscan prints it: `web1,10.0.0.11 ssh-ed25519 AAAA...`")
    return line.strip()


def _is_signer(line: str) -> str:
    if "PRIVATE KEY" in line or not re.fullmatch(rf"[^\s#]\S*[ \t]+(\S+[ \t]+)?{_KEY}([ \t][^\r\n\0]*)?", line):
        raise ValueError("no line of allowed_signers; as: `ann@example.com ssh-ed25519 AAAA...` (man ssh-keygen)")
    return line.strip()


Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$", max_length=200)]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Reconciler(RoleData):
    """The timer that reconciles: the fleet, on the hosts of the group `reconcilers`, or pulling, every host itself."""

    enabled: bool = True
    """Whether it reconciles. Where not, its timer is stopped and the fleet lets it in no longer."""
    pull: bool = False
    """Whether every host of the inventory converges itself, as root and without SSH, instead (docs/pull.md)."""
    url: Annotated[str, Field(pattern=r"^([A-Za-z0-9/][A-Za-z0-9+.:/@_~%\[\]-]*)?$")] = ""
    """Where the project is fetched from, as git has it: ssh://git@git.example.com/ops.git, https://..., file:///...."""
    branch: Ref = "main"
    """Branch that it follows. It goes forward only: a commit that does not follow the last one is refused."""
    tag: Ref | None = None
    """Signed tag that it is pinned to, instead of the branch."""
    allowed_signers: list[Annotated[str, AfterValidator(_is_signer)]] = []
    """Whose signatures (ssh's) are good, as allowed_signers has them: `ann@example.com ssh-ed25519 AAAA...`."""
    key: str = "reconciler_key"
    """Name of the secret that holds its private key, in OpenSSH's format without a passphrase. In pull mode it
    opens the git server alone, and is not asked for where that is reached otherwise."""
    known_hosts: list[Annotated[str, AfterValidator(_is_known_host)]] = []
    """Host keys of every host of the fleet, and of the git server where it is reached by ssh, as ssh-keyscan prints."""
    login: UserName = "reconciler"
    """Account that it has on every host, with sudo."""
    sources: list[Address] = []
    """Addresses that its key may come from; the reconcilers' private ones where empty."""
    age_key: str | None = None
    """Name of the secret that holds its age key, where the inventory's secrets are an encrypted file."""
    environment: dict[Variable, str] = {}
    """Variables of its runs, as HTTPS_PROXY or PIP_INDEX_URL. Nothing secret: everybody on the host may read them."""
    mend: Literal["none", "drift", "all"] = "drift"
    """What it mends: nothing, what was changed or is owed, or also what waits for a deploy."""
    random_delay: Annotated[int, Field(ge=0, le=3600)] = 60
    """Seconds, at most, that a run starts late, drawn anew each time."""
    run_seconds: Annotated[int, Field(ge=60, le=86_400)] = 3600
    """Seconds after which a run that hangs is ended."""
    memory_max: Size = "1G"
    """Memory that a run may take."""
    cpu_percent: Annotated[int, Field(ge=5, le=6400)] = 100
    """Share of one processor that a run may take; 200 are two of them."""
    tasks_max: Annotated[int, Field(ge=16, le=65_536)] = 256
    """Processes and threads of a run."""

    @field_validator("environment")
    @classmethod
    def _is_one_line_each(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not value.isprintable():
                raise ValueError(f"{name} must be one line")
            if name.startswith(("SLIPWAY_SSH_", "GIT_")) or name in ("PYTHONPATH", "HOME", "PATH"):
                raise ValueError(f"{name} is not to be changed: the checkout's protection depends on it")
        return environment
