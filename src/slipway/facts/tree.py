"""What lies in the live version of a staged tree: every file with its mode, owner and content hash."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

_SCRIPT = """\
cd -- "$1" 2>/dev/null || exit 0
live=$(readlink current) || exit 0
[ -d "$live" ] || exit 0
cd -- "$live" || exit 1
printf 'live %s\\n' "$live"
find . ! -type d -printf 'entry %y|%m|%U:%G|%P\\n'
find . -type f -exec sha256sum {} +
"""


@dataclass(frozen=True)
class Entry:
    """One file of a tree. A link, a socket or the like has no hash, and so equals no file that is wanted."""

    mode: str
    """Octal without a leading zero."""
    owner: str
    """Numbers, `user:group`."""
    sha256: str


@dataclass(frozen=True)
class TreeState:
    """The live version of a tree; `live` is empty where there is none."""

    live: str = ""
    """Name of the directory that `current` points to."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """Every file by its path relative to that directory."""


class TreeFact(FactBase[TreeState]):
    """The live version of the tree at `root`, whole, in one command."""

    is_local = True

    def command(self, root: str) -> StringCommand:
        return script(_SCRIPT, root)

    @staticmethod
    def default() -> TreeState:
        return TreeState()

    def process(self, output: list[str]) -> TreeState:
        if not output:
            return TreeState()
        hashes = dict(_hash_of(line) for line in output[1:] if not line.startswith("entry "))
        entries = {}
        for line in output[1:]:
            if line.startswith("entry "):
                _, mode, owner, path = line.removeprefix("entry ").split("|", 3)
                entries[path] = Entry(mode, owner, hashes.get(path, ""))
        return TreeState(output[0].removeprefix("live "), entries)


def _hash_of(line: str) -> tuple[str, str]:
    digest, _, path = line.partition("  ./")
    return path, digest
