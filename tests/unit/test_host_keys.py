"""What the seam corrects and needs no host to show."""

from __future__ import annotations

from pathlib import Path

import paramiko

from slipway.seam.host_keys import host_keys


def test_host_keys_are_read_anew_when_their_file_changes(tmp_path: Path) -> None:
    """A host that was set up anew is known by its new key, also to a process that has met the old one."""
    file = tmp_path / "known_hosts"
    lines = []
    for _ in range(2):
        key = paramiko.ECDSAKey.generate()
        lines.append(f"192.0.2.1 {key.get_name()} {key.get_base64()}\n")
    file.write_text(lines[0])
    first = host_keys((str(file),)).lookup("192.0.2.1")
    assert host_keys((str(file),)).lookup("192.0.2.1").keys() == first.keys()
    file.unlink()
    file.write_text(lines[1])
    second = host_keys((str(file),)).lookup("192.0.2.1")
    assert second["ecdsa-sha2-nistp256"] != first["ecdsa-sha2-nistp256"]
