"""Where a secret's value can be found: what anybody sees while a run goes on, and all that is searched afterwards.

A value is known by the part of it that stands nowhere else in the world, plain or in the forms that programs give it:
base64 wherever it may begin, and hexadecimal digits. URLs, JSON, shells and SQL leave letters and digits as they are.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from slipway.lab.lab import Lab

_PERL = (Path(__file__).parent / "prying.pl").read_text(encoding="utf-8")
NOBODY = "65534"


def forms(value: str) -> Iterator[str]:
    """What gives the value away, in each form that it may have."""
    core = max(re.findall(r"[A-Za-z0-9]+", value), key=len).encode()
    yield core.decode()
    yield core.hex()
    yield core.hex().upper()
    for before in range(3):
        # What stands before and after decides about the characters at either end; the rest is always the same.
        text = base64.b64encode(b"\0" * before + core).decode().rstrip("=")
        yield text[before + 1 if before else 0 : -1]


def needles(secrets: Mapping[str, str]) -> dict[str, str]:
    """Text to look for, to the name of the secret that it gives away."""
    return {form: name for name, value in secrets.items() for form in forms(value)}


@dataclass
class Prying:
    """What somebody without rights saw on a host."""

    seen: set[tuple[str, str]] = field(default_factory=set)
    """(name of the secret, where)."""
    ticks: int = 0
    seconds: float = 0

    @property
    def rate(self) -> float:
        """Looks a second."""
        return self.ticks / self.seconds if self.seconds else 0

    def __iadd__(self, other: Prying) -> Prying:
        self.seen |= other.seen
        self.ticks, self.seconds = self.ticks + other.ticks, self.seconds + other.seconds
        return self


@contextmanager
def prying(lab: Lab, host: str, secrets: Mapping[str, str]) -> Iterator[Prying]:
    """Somebody without rights looks around on the host while the block runs; what was seen is told when it ends."""
    looked_for = needles(secrets)
    # A niceness below others': the looks are to come fifty times a second on a machine that is busy with the run.
    rights = ["nice", "-n", "-10", "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    command = ["docker", "exec", "-i", lab.layout.container(host), *rights, "perl", "-e", _PERL]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _tell(process.stdin, [*(form.encode().hex() for form in looked_for), "go"])
    found = Prying()
    try:
        yield found
    finally:
        told, _ = process.communicate()
        _read(told, list(looked_for.values()), found)


def _tell(file: IO[str] | None, lines: Iterable[str]) -> None:
    assert file is not None
    file.write("".join(f"{line}\n" for line in lines))
    file.flush()


def _read(told: str, names: list[str], found: Prying) -> None:
    for line in told.splitlines():
        if ticks := re.fullmatch(r"ticks (\d+) seconds ([\d.]+)", line):
            found.ticks, found.seconds = int(ticks[1]), float(ticks[2])
        else:
            number, _, where = line.partition("\t")
            found.seen.add((names[int(number)], where))


# --- afterwards

# Prints `FILE path mode owner` for each file that holds one of the texts on its input, and `TOLD what` for each program
# that says one. The list of texts lies where nothing is searched, and goes with the script.
_SEARCH = r"""
set -u
texts=$(mktemp -p /dev/shm); trap 'rm -f -- "$texts"' EXIT
cat > "$texts"
disks=; for place in / /run /var/lib/docker /var/lib/containerd; do [ ! -d "$place" ] || disks="$disks $place"; done
# No file of the kernel's and none in memory only: those are not on a disk.
find $disks -xdev -type f -print0 | xargs -0r grep -laFf "$texts" -- | sort -u | while read -r path; do
  echo "FILE $(stat -c '%n %a %U' -- "$path")"
done
told() { if grep -qaFf "$texts"; then echo "TOLD $1"; fi; }
journalctl --no-pager -o export | told journal
find /var/log -name '*.gz' -exec zcat {} + 2>/dev/null | told 'rotated logs'
if command -v docker > /dev/null; then
  docker ps -aq | while read -r id; do
    docker inspect "$id" | told 'docker inspect'
    docker logs "$id" 2>&1 | told 'docker logs'
  done
  docker images -q | sort -u | while read -r id; do
    docker inspect "$id" | told 'docker image inspect'
    docker history --no-trunc "$id" | told 'docker history'
    docker save "$id" | tar -xO 2>/dev/null | told 'layers of an image'
  done
  docker network ls -q | xargs -r docker network inspect | told 'docker network inspect'
fi
ps -eo args | told 'arguments of a process'
systemctl show '*' | told 'properties of units'
"""


@dataclass(frozen=True)
class HeldBy:
    """A file that holds a secret."""

    path: str
    mode: str
    owner: str

    @property
    def is_private(self) -> bool:
        """Whether its mode lets nobody but its owner read it."""
        return int(self.mode, 8) & 0o077 == 0


@dataclass(frozen=True)
class Found:
    """Where secrets were found on a host."""

    files: tuple[HeldBy, ...]
    told: tuple[str, ...]
    """Programs that say one."""


def search(lab: Lab, host: str, secrets: Mapping[str, str]) -> Found:
    """Everything on the host's disks, and whatever its programs tell root."""
    command = ["docker", "exec", "-i", lab.layout.container(host), "bash", "-c", _SEARCH]
    texts = "".join(f"{text}\n" for text in needles(secrets))
    done = subprocess.run(command, input=texts, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    files = tuple(HeldBy(*rest.rsplit(" ", 2)) for kind, rest in lines if kind == "FILE")
    return Found(files, tuple(sorted({rest for kind, rest in lines if kind == "TOLD"})))


def files_with(root: Path, secrets: Mapping[str, str]) -> set[str]:
    """Files below a directory of this machine that hold one, as paths relative to it."""
    texts = [text.encode() for text in needles(secrets)]
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in files if _holds(path.read_bytes(), texts)}


def is_told(text: str, secrets: Mapping[str, str]) -> list[str]:
    """Names of the secrets that a text gives away."""
    return sorted({name for form, name in needles(secrets).items() if form in text})


def _holds(content: bytes, texts: list[bytes]) -> bool:
    return any(text in content for text in texts)
