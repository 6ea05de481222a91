"""Files, directories and links: the old one or the new one, never half, and never one its program refuses."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Generator, Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Content, PathFact, PathState, script, with_input
from slipway.report import note_change, note_managed
from slipway.secrets import Secret

OWED = "/var/lib/slipway/owed"
"""Directory of the reloads and restarts that a changed file owes; each name is `<action>:<unit>`."""

CANDIDATE = "{candidate}"
"""In a check's words: stands for the new file while it is still a candidate."""

_PUT = """\
set -eu
dest=$1 mode=$2 owner=$3 group=$4 sum=$5 owes=$6 debts=$7; shift 7
umask 077
trap 'exit 129' HUP INT PIPE TERM
tmp=$(mktemp -- "${dest%/*}/.slipway.XXXXXXXX")
trap 'rm -f -- "$tmp"' EXIT
cat > "$tmp"
got=$(sha256sum < "$tmp"); got=${got%% *}
if [ "$got" != "$sum" ]; then echo "the upload of $dest was cut short" >&2; exit 74; fi
chown -- "$owner:$group" "$tmp"
chmod -- "$mode" "$tmp"
if [ $# -gt 0 ]; then
  n=$#
  while [ "$n" -gt 0 ]; do
    word=$1; shift; [ "$word" = "{candidate}" ] && word=$tmp
    set -- "$@" "$word"; n=$((n - 1))
  done
  if ! said=$("$@" 2>&1); then
    printf '%s was left as it is, its check refuses the new one:\\n%s\\n' "$dest" "$said" >&2; exit 65
  fi
fi
if [ -d "$dest" ] && [ ! -L "$dest" ]; then echo "$dest is a directory; a file belongs there" >&2; exit 73; fi
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
sync -- "$tmp"
mv -fT -- "$tmp" "$dest"
"""


@operation()
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

    Fails, leaving the old file, where the upload is cut short, the check refuses, or a directory is in the way.
    """
    note_managed(path)
    data = as_bytes(content)
    is_secret = secret or isinstance(content, Secret)
    wanted = PathState("file", mode.lstrip("0") or "0", owner, group, hashlib.sha256(data).hexdigest())
    found = host.get_fact(PathFact, path=path)
    if found == wanted:
        host.noop(f"{path} is as wanted")
        return
    note_change(path, _what_differs(found, wanted), "" if is_secret else _diff(path, found, wanted, data))
    yield with_input(script(_PUT, path, mode, owner, group, wanted.sha256, " ".join(owes), OWED, *check), data)


def as_bytes(content: str | bytes | Secret) -> bytes:
    if isinstance(content, Secret):
        content = content.reveal()
    return content.encode() if isinstance(content, str) else content


def _what_differs(found: PathState, wanted: PathState) -> str:
    if found.kind != "file":
        return "new file" if found.is_absent else f"a {found.kind} is in its place"
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


@operation()
def directory(path: str, mode: str = "755", owner: str = "root", group: str = "root") -> Generator[StringCommand]:
    """A directory with this mode and owner, parents included. Refuses where a file is in its place."""
    wanted = PathState("directory", mode.lstrip("0"), owner, group)
    found = host.get_fact(PathFact, path=path)
    if found == wanted:
        return
    note_change(path, "new directory" if found.is_absent else "mode or owner")
    yield script(
        'set -eu; mkdir -p -m "$2" -- "$1"; [ ! -L "$1" ]; chown -- "$3:$4" "$1"; chmod -- "$2" "$1"',
        path, mode, owner, group,
    )  # fmt: skip


@operation()
def link(path: str, target: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """A symbolic link, switched in one step. Refuses where a directory is in its place."""
    found = host.get_fact(PathFact, path=path)
    if found.kind == "link" and found.target == target:
        return
    note_change(path, f"link to {target}")
    yield script(
        'set -eu; for d in $3; do mkdir -p -- "$4"; : > "$4/$d"; done; '
        'ln -s -- "$2" "$1.slipway-new"; mv -fT -- "$1.slipway-new" "$1"',
        path, target, " ".join(owes), OWED,
    )  # fmt: skip


@operation()
def absent(path: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """Nothing at `path`: a file or link that was there is removed. A directory only where it is empty."""
    found = host.get_fact(PathFact, path=path)
    if found.is_absent:
        return
    note_change(path, f"{found.kind} removed")
    yield script(
        'set -eu; for d in $2; do mkdir -p -- "$3"; : > "$3/$d"; done; '
        'if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir -- "$1"; else rm -f -- "$1"; fi',
        path, " ".join(owes), OWED,
    )  # fmt: skip


def content_hash(*parts: Any) -> str:
    """Short, stable name of some content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(as_bytes(part) if isinstance(part, (str, bytes, Secret)) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
