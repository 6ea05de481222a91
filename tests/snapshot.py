"""What a host has: files, packages, units, containers. Two snapshots are equal where nothing of that changed."""

from __future__ import annotations

from slipway.lab.lab import Lab

# What a host itself writes without anybody asking for it.
_VOLATILE = ("/etc/mtab", "/etc/ld.so.cache", "/etc/.pwd.lock", "/etc/machine-id", "/etc/resolv.conf", "/etc/hostname")
_EVERY_RUN = ("/var/lib/slipway/audit.jsonl",)
"""What every run adds its line to, whatever it changes."""

_SCRIPT = """\
find /etc /usr/local /var/lib/slipway -xdev \\( -type f -o -type l -o -type d \\) -printf '%p %y %m %u %g %l\\n' | sort
find /etc /usr/local /var/lib/slipway -xdev -type f -print0 | sort -z | xargs -0r sha256sum
dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'
apt-mark showhold
systemctl list-unit-files --no-legend --plain --type=service,timer,socket | sort
systemctl list-units --all --no-legend --plain --type=service,timer \\
  | while read -r unit load active rest; do echo "$unit $load $active"; done \\
  | grep -E '^(docker|nginx|redis|postgres|slipway)' | sort
command -v docker >/dev/null && docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Image}} {{.State}}' | sort
command -v docker >/dev/null && docker images --no-trunc --format '{{.ID}} {{.Repository}} {{.Tag}}' | sort
true
"""


def snapshot(lab: Lab, host: str) -> list[str]:
    """Lines that say what the host has."""
    done = lab.exec(host, ["sh", "-c", _SCRIPT])
    assert done.code == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not any(path in line for path in (*_VOLATILE, *_EVERY_RUN))]


def difference(before: list[str], after: list[str]) -> list[str]:
    """What one snapshot has and the other has not."""
    gone, new = set(before) - set(after), set(after) - set(before)
    return sorted(f"- {line}" for line in gone) + sorted(f"+ {line}" for line in new)
