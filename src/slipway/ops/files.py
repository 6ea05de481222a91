"""Files, directories and links: the old one or the new one, never half, and never one its program refuses."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Content, PathFact, PathState, script, with_input
from slipway.problems import BadInput, Problem
from slipway.report import note_change, note_managed
from slipway.secrets import Secret
from slipway.touches import touches_only

OWED = "/var/lib/slipway/owed"
"""Directory of the reloads and restarts that a changed file owes; each name is `<action>:<unit>`."""

CANDIDATE = "{candidate}"
"""In a check's words: stands for the new file while it is still a candidate."""

_PUT = """\
set -eu
dest=$1 mode=$2 owner=$3 group=$4 owes=$5 debts=$6; shift 6
umask 077
trap 'exit 129' HUP INT PIPE TERM
left() { printf '%s was left as it is: %s\\n' "$dest" "$1" >&2; exit "$2"; }
if [ -d "$dest" ] && [ ! -L "$dest" ]; then left 'a directory is in its place, a file belongs there' 73; fi
[ -d "${dest%/*}/" ] || left 'its directory does not exist' 73
# One run at a time is on a host, so a candidate that lies here is a dead run's.
rm -f -- "${dest%/*}"/.slipway.????????
tmp=$(mktemp -u -- "${dest%/*}/.slipway.XXXXXXXX")
trap 'rm -f -- "$tmp"' EXIT
# Made here or not at all (noclobber), then reached by its open file alone: in a directory of somebody else's, what
# lies at the path a moment later may be a link to /etc/shadow.
set -C
{ command exec 3> "$tmp"; } 2> /dev/null || { said=$({ : > "$tmp"; } 2>&1) || :; left "${said##*: }" 73; }
set +C
# The hash comes with the content: an argument list is everybody's to read, and a short secret's hash gives it away.
IFS= read -r sum || left 'the upload was cut short' 74
said=$(cat 2>&1 >&3) || left "$said" 74
got=$(sha256sum < /proc/self/fd/3); [ "${got%% *}" = "$sum" ] || left 'the upload was cut short' 74
said=$(chown -- "$owner:$group" /proc/self/fd/3 2>&1) || left "$said" 65
chmod -- "$mode" /proc/self/fd/3
exec 3>&-
if [ $# -gt 0 ]; then
  n=$#
  while [ "$n" -gt 0 ]; do
    word=$1; shift; [ "$word" = "{candidate}" ] && word=$tmp
    set -- "$@" "$word"; n=$((n - 1))
  done
  said=$("$@" 2>&1) || left "its check refuses the new one:
$said" 65
fi
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
sync -- "$tmp"
mv -fT -- "$tmp" "$dest"
"""

_MEND = """\
set -eu
dest=$1 mode=$2 owner=$3 group=$4 owes=$5 debts=$6
# Opened once: whatever a directory's owner puts at the path meanwhile, only what holds our content is given away.
exec 3< "$dest"
IFS= read -r sum
got=$(sha256sum <&3)
if [ "${got%% *}" != "$sum" ]; then echo "$dest is being changed by somebody else; it is left as it is" >&2; exit 75; fi
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
chown -- "$owner:$group" /proc/self/fd/3
chmod -- "$mode" /proc/self/fd/3
"""


@operation()
@touches_only("path")
def put(
    path: str,
    content: str | bytes | Secret,
    mode: str = "644",
    owner: str = "root",
    group: str = "root",
    check: Sequence[str] = (),
    owes: Sequence[str] = (),
    secret: bool = False,
) -> Generator[StringCommand]:
    """The whole file at `path`, swapped in one step, born with its mode.

    + check: words of a program that must accept the file first; `{candidate}` stands for it
    + owes: what is owed once it changed, as `reload:nginx` or `restart:redis-server`; `settle` pays it
    + secret: its content never shows in a diff (always so for a Secret)

    A file whose mode or owner alone differ gets those, and is not written again. A link in its place is replaced; what
    it pointed to is left alone. Fails, leaving the old file, where the upload is cut short, the disk is full, the check
    refuses, or a directory is in the way. Raises BadInput for a path that cannot be a file's.
    """
    _refuse_odd(path)
    note_managed(path)
    data = as_bytes(content)
    is_secret = secret or isinstance(content, Secret)
    wanted = PathState("file", mode.lstrip("0") or "0", owner, group, sha256_of(content))
    found = host.get_fact(PathFact, path=path)
    if found == wanted:
        host.noop(f"{path} is as wanted")
        return
    note_change(path, _what_differs(found, wanted), "" if is_secret else _diff(path, found, wanted, data))
    is_mended = found.kind == "file" and found.sha256 == wanted.sha256
    words = (path, mode, owner, group, " ".join(owes), OWED)
    command = script(_MEND, *words) if is_mended else script(_PUT, *words, *check)
    yield with_input(command, f"{wanted.sha256}\n".encode() + (b"" if is_mended else data))


def _refuse_odd(path: str) -> None:
    if not path.startswith("/") or path.endswith("/"):
        raise BadInput([Problem(repr(path), "is no file's path on a host", "give it from the root on: /etc/motd")])
    if "\0" in path:
        raise BadInput([Problem(repr(path), "holds a NUL byte, which no path can")])


def as_bytes(content: str | bytes | Secret) -> bytes:
    if isinstance(content, Secret):
        content = content.reveal()
    return content.encode() if isinstance(content, str) else content


def sha256_of(content: str | bytes | Secret) -> str:
    """Of its bytes. The same text is hashed once, for however many hosts; a secret is kept in no table for that."""
    if isinstance(content, Secret) or len(content) > _LONGEST_KEPT:
        return hashlib.sha256(as_bytes(content)).hexdigest()
    return _sha256(content)


_LONGEST_KEPT = 65_536
"""What a role may render is no longer; larger files are few, and would be held in memory by it."""


@lru_cache(maxsize=1024)
def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(as_bytes(content)).hexdigest()


_IN_PLACE = {"file": "a file", "directory": "a directory", "link": "a link", "other": "something else"}


def _what_differs(found: PathState, wanted: PathState) -> str:
    if found.is_absent:
        return f"new {wanted.kind}"
    if found.kind != wanted.kind:
        return f"{_IN_PLACE[found.kind]} is in its place"
    names = ("mode", "owner", "group")
    parts = [
        f"{n} {getattr(found, n)} -> {getattr(wanted, n)}" for n in names if getattr(found, n) != getattr(wanted, n)
    ]
    return ", ".join((["content"] if found.sha256 != wanted.sha256 else []) + parts)


def _diff(path: str, found: PathState, wanted: PathState, data: bytes) -> str:
    if found.kind != "file" or found.sha256 == wanted.sha256:
        return ""
    try:
        new = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return ""
    old = host.get_fact(Content, path=path).splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"{path} (on the host)", f"{path} (wanted)"))


_DIRECTORY = """\
set -eu
if [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then
  echo "$1 was left as it is: something else is in its place, a directory belongs there" >&2; exit 73
fi
mkdir -p -m 700 -- "$1"; chown -- "$3:$4" "$1"
# Two zeros more than usual: without them chmod keeps a set-group-ID bit that is there.
chmod -- "00$2" "$1"
"""


@operation()
@touches_only("path", is_directory=True)
def directory(path: str, mode: str = "755", owner: str = "root", group: str = "root") -> Generator[StringCommand]:
    """A directory with this mode and owner, parents included. Refuses where a file or a link is in its place."""
    _refuse_odd(path)
    wanted = PathState("directory", mode.lstrip("0"), owner, group)
    found = host.get_fact(PathFact, path=path)
    if found == wanted:
        return
    note_change(path, _what_differs(found, wanted))
    yield script(_DIRECTORY, path, mode, owner, group)


_LINK = """\
set -eu
if [ -d "$1" ] && [ ! -L "$1" ]; then
  echo "$1 was left as it is: a directory is in its place, a link belongs there" >&2; exit 73
fi
for debt in $3; do mkdir -p -- "$4"; : > "$4/$debt"; done
# A dead run may have left one; it is replaced, not followed.
ln -sfn -- "$2" "$1.slipway-new"
mv -fT -- "$1.slipway-new" "$1"
"""


@operation()
def link(path: str, target: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """A symbolic link, switched in one step. Refuses where a directory is in its place."""
    _refuse_odd(path)
    found = host.get_fact(PathFact, path=path)
    if found.kind == "link" and found.target == target:
        return
    note_change(path, f"link to {target}")
    yield script(_LINK, path, target, " ".join(owes), OWED)


_ABSENT = """\
set -eu
for debt in $2; do mkdir -p -- "$3"; : > "$3/$debt"; done
if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir -- "$1"; else rm -f -- "$1"; fi
"""


@operation()
def absent(path: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """Nothing at `path`: a file or link that was there is removed. A directory only where it is empty."""
    _refuse_odd(path)
    found = host.get_fact(PathFact, path=path)
    if found.is_absent:
        return
    note_change(path, f"{found.kind} removed")
    yield script(_ABSENT, path, " ".join(owes), OWED)


def content_hash(*parts: Any) -> str:
    """Short, stable name of some content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(as_bytes(part) if isinstance(part, (str, bytes, Secret)) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
