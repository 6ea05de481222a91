"""A whole tree of configuration: staged beside the live one, checked as a whole, switched in one step.

`root/current` is a link to the live version, a directory beside it. A program reads its configuration through the
link; its files name each other by the version's own path (`HERE` stands for it), so that what is read is one version,
whatever is switched meanwhile.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import tarfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Content, script, with_input
from slipway.facts.tree import Entry, TreeFact, TreeState
from slipway.ops.files import OWED, as_bytes, content_hash
from slipway.report import note_change, note_managed
from slipway.secrets import Secret

HERE = "\0here\0"
"""In a file's content and in a check's words: the absolute path of the version that it belongs to. Of NUL, which no
value and no configuration can have: a text that only looks like the mark stays what it is."""

_STAGE = """\
set -eu
root=$1 name=$2 sum=$3 keep=$4 owes=$5 debts=$6; shift 6
umask 077
trap 'exit 129' HUP INT PIPE TERM
mkdir -p -m 755 -- "$root"
cd -- "$root"
# One run at a time is on a host, so an upload that lies here is a dead run's.
rm -f -- .upload.*
upload=$(mktemp -- .upload.XXXXXXXX)
trap 'rm -f -- "$upload"' EXIT
cat > "$upload"
got=$(sha256sum < "$upload"); got=${got%% *}
if [ "$got" != "$sum" ]; then echo "the upload of $root/$name was cut short" >&2; exit 74; fi
rm -rf -- "$name"
mkdir -m 755 -- "$name"
tar --extract --file="$upload" --directory="$name" --preserve-permissions --same-owner
if [ $# -gt 0 ] && ! said=$("$@" 2>&1); then
  rm -rf -- "$name"
  printf '%s was left as it is, its check refuses the new one:\\n%s\\n' "$root/current" "$said" >&2; exit 65
fi
find "$name" -exec sync -- {} +
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
ln -sfn -- "$name" .current.new
mv -fT -- .current.new current
touch -- "$name"
versions() { ls -dt -- [0-9a-f]*/ | sed 's:/$::' | grep -xE '[0-9a-f]{16}(\\.[0-9]+)?' | grep -vxF -- "$name"; }
versions | tail -n "+$((keep + 1))" | while read -r old; do rm -rf -- "$old"; done
"""


@dataclass(frozen=True)
class TreeFile:
    """One file of a tree: its content and mode. The content of a Secret never shows in a diff."""

    content: str | bytes | Secret
    mode: str = "644"

    def at(self, here: str) -> bytes:
        """The content, with the version's path put in where `HERE` stands."""
        return as_bytes(self.content).replace(HERE.encode(), here.encode())

    def entry(self, here: str) -> Entry:
        return Entry(self.mode.lstrip("0"), "0:0", hashlib.sha256(self.at(here)).hexdigest())


@operation()
def staged(
    root: str,
    files: Mapping[str, TreeFile],
    check: Sequence[str] = (),
    owes: Sequence[str] = (),
    keep: int = 3,
) -> Generator[StringCommand]:
    """The tree at `root/current`, exactly these files, owned by root: checked whole, then switched in one step.

    + files: by path relative to the tree; `HERE` in a content stands for the version's own path
    + check: words of a program that must accept the staged tree first; `HERE` stands for its path
    + owes: what is owed once it changed, as `reload:nginx`; `settle` pays it
    + keep: earlier versions that stay on the host

    Any other content, mode, owner or file in the live tree counts as a difference. Fails, leaving the live tree, where
    the upload is cut short or the check refuses; the refused version is removed.
    """
    for path in files:
        note_managed(f"{root}/current/{path}")
    found = host.get_fact(TreeFact, root=root)
    if found.live and found.entries == _entries(files, f"{root}/{found.live}"):
        host.noop(f"{root}/current is as wanted")
        return
    name = version_name(files, found.live)
    _note(root, files, found)
    archive = packed(files, f"{root}/{name}")
    words = [word.replace(HERE, f"{root}/{name}") for word in check]
    command = script(
        _STAGE, root, name, hashlib.sha256(archive).hexdigest(), str(keep), " ".join(owes), OWED, *words
    )  # fmt: skip
    yield with_input(command, archive)


def version_name(files: Mapping[str, TreeFile], live: str = "") -> str:
    """Name of the version with this content; another one where that of a live tree, edited by hand, has it already."""
    wanted = content_hash(*(part for path in sorted(files) for part in (path, files[path].mode, files[path].content)))
    stem, _, number = live.partition(".")
    return wanted if stem != wanted else f"{wanted}.{int(number or 0) + 1}"


def packed(files: Mapping[str, TreeFile], here: str) -> bytes:
    """The tree as a tar archive, the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for directory in sorted({parent for path in files for parent in _parents(path)}):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path in sorted(files):
            content = files[path].at(here)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), int(files[path].mode, 8)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _entries(files: Mapping[str, TreeFile], here: str) -> dict[str, Entry]:
    return {path: file.entry(here) for path, file in files.items()}


def _note(root: str, files: Mapping[str, TreeFile], found: TreeState) -> None:
    """Notes every file that differs, each with its diff."""
    if not found.live:
        note_change(f"{root}/current", f"new tree of {len(files)} files")
        return
    wanted = _entries(files, f"{root}/{found.live}")
    for path in sorted(wanted.keys() | found.entries.keys()):
        old, new = found.entries.get(path), wanted.get(path)
        if old != new:
            note_change(f"{root}/current/{path}", _what_differs(old, new), _diff(root, path, files.get(path), found))


def _what_differs(old: Entry | None, new: Entry | None) -> str:
    if old is None:
        return "new file"
    if new is None:
        return "removed: it does not belong there"
    parts = ["content"] if old.sha256 != new.sha256 else []
    parts += [f"mode {old.mode} -> {new.mode}"] if old.mode != new.mode else []
    parts += ["owner"] if old.owner != new.owner else []
    return ", ".join(parts)


def _diff(root: str, path: str, file: TreeFile | None, found: TreeState) -> str:
    """Unified diff of a text that is on both sides; empty for a secret."""
    if file is None or isinstance(file.content, Secret) or path not in found.entries:
        return ""
    here = f"{root}/{found.live}"
    try:
        new = file.at(here).decode()
    except UnicodeDecodeError:
        return ""
    old = host.get_fact(Content, path=f"{here}/{path}")
    # Which version a path names changes with every change: it would hide the line that matters.
    before, after = (text.replace(here, f"{root}/current").splitlines(keepends=True) for text in (old, new))
    return "".join(difflib.unified_diff(before, after, f"{path} (on the host)", f"{path} (wanted)"))
