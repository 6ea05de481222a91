"""sshd: a drop-in of ours, tried by sshd first, taken up by a reload, and undone by the host unless we still get in."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.ops import files
from slipway.ops.guarded import SECONDS, Guard, guarded

DROP_IN = "/etc/ssh/sshd_config.d/00-slipway.conf"
"""Of what is said twice sshd takes the first, and cloud images bring drop-ins of their own: ours comes before them."""

# The whole configuration is judged, with the candidate in its place: one file alone says nothing about what holds.
_CHECK = """\
set -eu
refuse() { printf '%s\\n' "$1"; exit 1; }
name=$1 new=$2; shift 2
dir=$(mktemp -d); trap 'rm -rf -- "$dir"' EXIT
cp -aL -- /etc/ssh/sshd_config.d "$dir/d"
cat < "$new" > "$dir/d/$name"
sed -E "/^[[:space:]]*include[[:space:]]/I s#(/etc/ssh/)?sshd_config\\.d/#$dir/d/#g" /etc/ssh/sshd_config > "$dir/main"
grep -qF "$dir/d/" "$dir/main" || refuse '/etc/ssh/sshd_config does not include /etc/ssh/sshd_config.d/*.conf'
sshd=$(command -v sshd || echo /usr/sbin/sshd)
"$sshd" -t -f "$dir/main"
"$sshd" -T -f "$dir/main" > "$dir/holds"
for wanted in "$@"; do
  key=${wanted%% *}
  found=$(sed -n "s/^$key //p" "$dir/holds" | sort | tr '\\n' ' ')
  [ "$key ${found% }" = "$wanted" ] ||
    refuse "$key would be ${found:-nothing }and not ${wanted#* }: something else in /etc/ssh says so"
done
"""
"""Arguments: the drop-in's name, the candidate, then `keyword value` as `sshd -T` would say it."""

# sshd keeps its process over a reload, and for a moment still listens with its old settings. It has taken the new ones
# up when none of the sockets that it listens on is one of before.
_RELOAD = """\
set -eu
# Where systemd listens in its place (socket activation) nothing would change: it is started anew; sessions stay.
if systemctl is-active --quiet ssh.socket; then exec systemctl restart ssh.service; fi
pid=$(systemctl show --property=MainPID --value ssh.service)
sockets() { ss -Hltnpe | grep -F "pid=$pid," | sed -n 's/.* ino:\\([0-9]*\\) .*/\\1/p' | tr '\\n' ' '; }
before=" $(sockets)"
systemctl reload-or-restart ssh.service
taken_up() {
  now=$(sockets)
  [ -n "$now" ] || return 1
  for socket in $now; do case $before in *" $socket "*) return 1 ;; esac; done
}
n=0
until taken_up; do
  pid=$(systemctl show --property=MainPID --value ssh.service)
  n=$((n + 1))
  if [ "$n" -ge 100 ]; then
    echo 'sshd does not listen with its new settings after 10 s; its last lines:' >&2
    journalctl --unit=ssh.service --lines=5 --no-pager --output=cat >&2
    exit 1
  fi
  sleep 0.1  # nothing tells when it listens again; a hundred times
done
"""

_RESTORE = "systemctl reset-failed ssh.service 2> /dev/null; exec systemctl reload-or-restart ssh.service"


@operation()
def configured(content: str, expects: Sequence[str], seconds: int = SECONDS) -> Generator[StringCommand]:
    """sshd works by this drop-in, and lets us in by it.

    + expects: `keyword value` as `sshd -T` says it; refused where it would not hold: another file says otherwise
    + seconds: after which the host undoes it unless we have logged in anew

    Fails, leaving everything as it was, where sshd refuses it or it would cut us off.
    """
    name = DROP_IN.rpartition("/")[2]
    check = ["sh", "-c", _CHECK, "check", name, files.CANDIDATE, *expects]
    yield from _taken_up([*files.put._inner(DROP_IN, content, check=check)], seconds)


@operation()
def unconfigured(seconds: int = SECONDS) -> Generator[StringCommand]:
    """sshd works without a drop-in of ours; guarded in the same way."""
    yield from _taken_up([*files.absent._inner(DROP_IN)], seconds)


def _taken_up(steps: Sequence[StringCommand], seconds: int) -> Generator[StringCommand]:
    guard = Guard("sshd", (DROP_IN,), restore=_RESTORE, seconds=seconds)
    yield from guarded(guard, [*steps, script(_RELOAD)] if steps else [])
