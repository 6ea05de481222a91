"""Data of people's accounts."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from slipway.role import RoleData

UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Path = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")]

_KEY_TYPES = re.compile(
    r"(?:^|\s)((?:sk-)?(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521))(?:@openssh\.com)?)\s+([A-Za-z0-9+/]+=*)"
)


def _is_public_key(line: str) -> str:
    if "PRIVATE KEY" in line:
        raise ValueError(
            "this is a private key; the public one belongs here (the .pub file), and this one is to be replaced"
        )
    found = _KEY_TYPES.search(line)
    if "\n" in line or "\0" in line or not found or not _is_whole_key(found[2], found[1]):
        raise ValueError("no public key; one line as `ssh-ed25519 AAAA... comment`, options before it allowed")
    return line.strip()


def _is_whole_key(text: str, kind: str) -> bool:
    """Whether it decodes to whole fields, the first of them its kind: a cut key does not (RFC 4253, 6.6)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    fields = []
    while data:
        length = int.from_bytes(data[:4], "big")
        fields.append(data[4 : 4 + length])
        if len(data) < 4 + length:
            return False
        data = data[4 + length :]
    return len(fields) > 1 and fields[0] == kind.encode()


def _is_one_line(rule: str) -> str:
    if "\n" in rule or "\0" in rule or "=" not in rule:
        raise ValueError("no sudo rule; one line without the user's name, as `ALL=(ALL) NOPASSWD: ALL`")
    return rule.strip()


class User(RoleData):
    """One person's account."""

    name: UserName
    """Login name."""
    uid: Annotated[int, Field(ge=1000, le=60000)] | None = None
    """Number; the host takes the next free one where it is not said."""
    comment: Annotated[str, Field(pattern=r"^[^:\x00-\x1f]*$")] = ""
    """Full name, or whatever passwd is to say."""
    groups: list[UserName] = []
    """Supplementary groups, and no others but docker, which the docker role's `users` says."""
    shell: Path = "/bin/bash"
    """Login shell."""
    home: Path | None = None
    """Home directory; /home/<name> where it is not said."""
    authorized_keys: list[Annotated[str, AfterValidator(_is_public_key)]] | None = None
    """The public keys that may log in, and no others; None leaves the file to its owner."""
    sudo: list[Annotated[str, AfterValidator(_is_one_line)]] = []
    """What it may do as others, as sudoers has it without the name: `ALL=(ALL) NOPASSWD: ALL`."""

    @property
    def home_directory(self) -> str:
        return self.home or f"/home/{self.name}"
