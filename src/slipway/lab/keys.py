"""The lab's SSH keys: made before the hosts are, so that each host key is known before the first connection."""

from __future__ import annotations

from pathlib import Path

from slipway.lab.hosts import EVERY
from slipway.lab.inventory import OPS_USER
from slipway.lab.layout import Layout
from slipway.lab.state import write_private

_LONGEST_SOCKET = 107 - 17
"""unix(7) allows 107 bytes; ssh adds 17 of its own while it makes the socket."""


def host_key(lab: Layout, host: str) -> Path:
    """Where the private key of a host's sshd lies; the public one beside it, as .pub."""
    return lab.state / "host_keys" / host


def ensure_keys(lab: Layout) -> None:
    """Makes what is missing of: the ops key pair, every host's key, known_hosts and ssh_config."""
    for path, comment in [(lab.ssh_key, f"{OPS_USER}@{lab.name}"), *((host_key(lab, h.name), h.name) for h in EVERY)]:
        if not path.is_file():
            make_pair(path, comment)
    write_private(lab.known_hosts, known_hosts(lab))
    write_private(lab.ssh_config, ssh_config(lab))


def known_hosts(lab: Layout) -> str:
    """A line for each host: known by name and by address."""
    return "".join(f"{h.name},{lab.address(h.name)} {public_key(host_key(lab, h.name))}\n" for h in EVERY)


def ssh_config(lab: Layout) -> str:
    """For `ssh -F`: every host by name, its key checked strictly, one connection shared by all commands to it."""
    common = [
        f"User {OPS_USER}",
        f'IdentityFile "{lab.ssh_key}"',
        "IdentitiesOnly yes",
        f'UserKnownHostsFile "{lab.known_hosts}"',
        "GlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes",
        "PasswordAuthentication no",
        "ConnectTimeout 10",
        "ServerAliveInterval 10",  # with ssh's three tries: a host that froze is given up after half a minute
        "LogLevel ERROR",
        *_connection_sharing(lab),
    ]
    blocks = [[f"Host {h.name} {lab.address(h.name)}", f"HostName {lab.address(h.name)}"] for h in EVERY]
    return "\n\n".join("\n    ".join(block) for block in [*blocks, ["Host *", *common]]) + "\n"


def _connection_sharing(lab: Layout) -> list[str]:
    longest = f"{lab.state}/ssh-{lab.at(255)}"
    if len(longest.encode()) > _LONGEST_SOCKET:
        return []  # slower, but a path too long for a socket would fail every connection
    return ["ControlMaster auto", f'ControlPath "{lab.state}/ssh-%h"', "ControlPersist 60"]


def make_pair(path: Path, comment: str) -> None:
    """A fresh private key at `path`, readable by its owner only, and the public one beside it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
    write_private(path.with_name(path.name + ".pub"), f"{public} {comment}\n")


def public_key(private: Path) -> str:
    """Kind and key, as known_hosts and authorized_keys have them."""
    return " ".join(private.with_name(private.name + ".pub").read_text(encoding="ascii").split()[:2])
