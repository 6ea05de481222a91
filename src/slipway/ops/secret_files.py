"""Secrets as files for containers: in a directory of root's own, one per service and version."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.facts.files import script, with_input
from slipway.facts.secret_files import SECRETS, SecretFilesFact, digest
from slipway.report import note_change, note_managed
from slipway.secrets import Sealed, Secret

_COMPLETE = ".complete"

_WRITE = """\
set -eu
base=$1 name=$2
umask 077
mkdir -p -- "$base"
chown root:root -- "$base"; chmod 700 -- "$base"
[ -n "$name" ] || exit 0
new=$base/.new-$name
trap 'rm -rf -- "$new"' EXIT
trap 'exit 129' HUP INT PIPE TERM
rm -rf -- "$new"; mkdir -- "$new"
tar --extract --preserve-permissions --numeric-owner --directory "$new"
if [ ! -e "$new/.complete" ]; then echo "the upload of $name was cut short" >&2; exit 74; fi
rm -- "$new/.complete"
chmod 755 -- "$new"
# Containers have the directory itself mounted: what is in it is put right, the directory stays.
if [ ! -d "$base/$name" ]; then mv -T -- "$new" "$base/$name"; exit 0; fi
cp -a --remove-destination -- "$new/." "$base/$name/"
"""


@dataclass(frozen=True)
class SecretFile:
    """One secret as a file in its service's directory."""

    path: str
    """Below the directory."""
    content: Secret
    mode: int
    uid: int = 0
    gid: int = 0

    def told(self) -> str:
        """What the fact says of it where it is as wanted."""
        return f"{self.mode:o}:{self.uid}:{self.gid} {digest(self.content.reveal())}"


@dataclass(frozen=True)
class SecretDirectory:
    """The secrets of one service in one version, which is part of its name."""

    name: str
    files: tuple[SecretFile, ...]

    def path(self) -> str:
        return f"{SECRETS}/{self.name}"

    def wanted(self) -> dict[str, str]:
        """What the fact says of it where it is as wanted."""
        folders = {self.name} | {f"{self.name}/{each.path.rsplit('/', 1)[0]}" for each in self.files}
        return dict.fromkeys(folders, "755:0:0 -") | {f"{self.name}/{each.path}": each.told() for each in self.files}

    @property
    def is_sealed(self) -> bool:
        """Whether a value of it is not known here: a release on record brought it, and it is used as it lies there."""
        return any(isinstance(each.content, Sealed) for each in self.files)

    def packed(self) -> bytes:
        """As a tar; its last member says that nothing is missing."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for folder in sorted({each.path.rsplit("/", 1)[0] for each in self.files}):
                archive.addfile(_entry(folder, 0o755, kind=tarfile.DIRTYPE))
            for each in self.files:
                data = each.content.reveal().encode()
                archive.addfile(_entry(each.path, each.mode, each.uid, each.gid, len(data)), io.BytesIO(data))
            archive.addfile(_entry(_COMPLETE, 0o600))
        return out.getvalue()


@operation()
def present(stack: str, directories: Sequence[SecretDirectory]) -> Generator[StringCommand]:
    """These directories of secrets, each file with its owner and mode. Others are left for older releases.

    One whose values are not known here is used as it is; fails where it is not there.
    """
    found = host.get_fact(SecretFilesFact, stack=stack)
    directories = [each for each in directories if not _is_kept(each, found)]
    wrong = [each for each in directories if any(found.get(path) != told for path, told in each.wanted().items())]
    if found.get(".", "700:0:0 -") != "700:0:0 -":
        note_change(SECRETS, "mode or owner")
        yield script(_WRITE, SECRETS, "")
    for each in directories:
        _note(each, found)
    for directory in wrong:
        command = script(_WRITE, SECRETS, directory.name)
        yield with_input(command, directory.packed())


def _is_kept(directory: SecretDirectory, found: Mapping[str, str]) -> bool:
    """Whether it is an older release's, whose values are not known here. Raises OperationError where it is gone."""
    if not directory.is_sealed:
        return False
    for each in directory.files:
        path = f"{directory.name}/{each.path}"
        note_managed(f"{SECRETS}/{path}")
        if path not in found:
            what = f"{SECRETS}/{path} is gone, and today's secret source has another version of it"
            raise OperationError(f"{what}\n  HINT: give the source the version of then, or deploy today's release")
    return True


def _note(directory: SecretDirectory, found: Mapping[str, str]) -> None:
    """Notes what of it is ours, and what differs: which file, and never how its content does."""
    for path, told in directory.wanted().items():
        if not told.endswith(" -"):
            note_managed(f"{SECRETS}/{path}")
        if path not in found:
            note_change(f"{SECRETS}/{path}", "new secrets" if path == directory.name else "new")
        elif found[path] != told:
            same_sum = found[path].rpartition(" ")[2] == told.rpartition(" ")[2]
            note_change(f"{SECRETS}/{path}", "mode or owner" if same_sum else "content")


def _entry(
    name: str, mode: int, uid: int = 0, gid: int = 0, size: int = 0, kind: bytes = tarfile.REGTYPE
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid, entry.size, entry.type = mode, uid, gid, size, kind
    return entry
