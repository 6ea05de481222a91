"""The hosts as these tests see and hurt them, past SSH."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from slipway.lab.lab import Lab

HOSTS = ("worker1", "worker2", "worker3")

# Debian 12 calls them sshd, Debian 13 sshd-session; one for root's part and one for the user's.
_SESSIONS = """\
for each in /proc/[0-9]*; do
  case $(tr '\\000' ' ' < "$each/cmdline" 2>/dev/null) in
    sshd*": ops"*) kill "-$1" "${each#/proc/}" && echo "$each" ;;
  esac
done
"""

_AT_WORK = "find /proc/[0-9]*/fd -maxdepth 1 -lname /run/lock 2>/dev/null | cut -d/ -f3 | sort -u"


@dataclass(frozen=True)
class Hosts:
    """Three bare hosts."""

    lab: Lab

    def sh(self, host: str, text: str, *arguments: str) -> str:
        """What a root shell on the host prints."""
        done = self.lab.exec(host, ["sh", "-c", text, "sh", *arguments])
        return done.stdout

    def written(self, host: str, path: str = "/root/trace") -> list[str]:
        """The words that steps have left there."""
        return self.sh(host, 'cat "$1" 2>/dev/null', path).split()

    def clear(self) -> None:
        """Nothing of ours is left, and no step of an earlier test is still at work."""
        for host in HOSTS:
            self.sh(host, f"{_AT_WORK} | xargs --no-run-if-empty kill -9; flock --wait 10 /run/lock true")
            self.sh(host, "rm -rf /root/trace* /var/lib/slipway/* /run/slipway/request")

    def go(self, *hosts: str) -> None:
        """Steps that wait for a word have it."""
        for host in hosts or HOSTS:
            self.sh(host, "touch /root/trace-go")

    def signal_sessions(self, host: str, name: str) -> int:
        """Sends a signal to every sshd that serves a session there; how many there were. STOP makes a black hole."""
        return len(self.sh(host, _SESSIONS, name).split())

    def wait_for(
        self, is_so: Callable[[], object], running: subprocess.Popen[str] | None = None, seconds: float = 60
    ) -> None:
        """Until it is so. Fails after so many seconds, or when the run that is to bring it about has ended."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert running is None or running.poll() is None, running.communicate()
            assert time.monotonic() < deadline, f"it was not so within {seconds} s"
            time.sleep(0.1)  # polling a host; bounded by the deadline

    def is_locked(self, host: str) -> bool:
        """Whether a run holds the host's lock."""
        return bool(self.sh(host, "ls /run/slipway/held-* 2>/dev/null"))


WAIT_FOR_A_WORD = "echo start >> /root/trace; until test -e /root/trace-go; do sleep 0.1; done; echo end >> /root/trace"
"""A step that lasts until `Hosts.go`."""

LONG_PROGRAM = r"(sleep|sh) \(pid \d+, for \d+ s\)"
"""What is at work in it: the shell, between two sleeps."""

LONG_STEP = f"""
from pyinfra.operations import server
server.shell(name="Take long", commands=[{WAIT_FOR_A_WORD!r}])
server.shell(name="Go on", commands=["echo later >> /root/trace"])
"""
