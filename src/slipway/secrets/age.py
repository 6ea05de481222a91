"""Encryption at rest by age (age-encryption.org): one armored file, opened in memory only.

The file is what `age -d -i KEY FILE` opens and `age -a -R FILE.recipients` writes: the whole of it is authenticated, so
that one that was changed or cut is refused. Who may read it stands in FILE.recipients, a line for each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage

from slipway.problems import conflict_line
from slipway.secrets.reading import SourceUnreadable, unreadable
from slipway.secrets.sources import refuse_readable_by_others, text_of

KEY_FILE, KEY = "SLIPWAY_AGE_KEY_FILE", "SLIPWAY_AGE_KEY"
ARMOR = "-----BEGIN AGE ENCRYPTED FILE-----"
_NO_KEY_FITS = "No matching keys found"
"""What the library says where none of the keys opens a file; everything else is damage."""


def own_key() -> Path:
    """Where a person's age key lies."""
    return Path.home() / ".config/slipway/age.key"


def recipients_file(path: Path) -> Path:
    """The list of who may read the file at `path`, beside it."""
    return path.with_name(f"{path.name}.recipients")


@dataclass(frozen=True)
class Identities:
    """The keys that this person has, and where each was looked for."""

    keys: Sequence[Any]
    places: Sequence[str]
    """A phrase for each place: what was found there, or why it is of no use."""


def decrypted(path: Path, name: str) -> str:
    """The text of an encrypted file, which is called `name`. Raises SourceUnreadable."""
    data = _encrypted(path, name)
    found = identities()
    if not found.keys:
        told = "; ".join(found.places)
        raise SourceUnreadable(f"{name}: there is no key to open it with ({told})", _ask_for_access(path, name))
    try:
        text: str = pyrage.decrypt(data, list(found.keys)).decode("utf-8-sig")
        return text
    except UnicodeDecodeError:
        raise SourceUnreadable(f"{name} holds no UTF-8 text", "encrypt lines of `name: value`") from None
    except pyrage.DecryptError as error:
        raise _not_opened(path, name, found, str(error)) from None


def _not_opened(path: Path, name: str, found: Identities, said: str) -> SourceUnreadable:
    if said == _NO_KEY_FITS:
        what = f"{name}: none of your keys opens it ({'; '.join(found.places)})"
        return SourceUnreadable(what, _ask_for_access(path, name))
    what = f"{name} was changed or cut since it was encrypted ({said})"
    return SourceUnreadable(what, f"take it from the repository again: git log -- {name}")


def _encrypted(path: Path, name: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SourceUnreadable(f"{name} does not exist", "make it: ./slipway secrets init INVENTORY") from None
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from None
    text = data.decode("utf-8", "replace")
    if line := conflict_line(text):
        hint = f"encrypted lines cannot be merged: git checkout --ours {name} (or --theirs), then set what differs"
        raise SourceUnreadable(f"{name}:{line} is in the middle of a merge", hint)
    if not text.lstrip().startswith(ARMOR) and not data.startswith(b"age-encryption.org/"):
        hint = f"do not commit it; encrypt it: age -a -R {recipients_file(path).name} (docs/secrets.md)"
        raise SourceUnreadable(f"{name} is not encrypted by age", hint)
    return data


def _ask_for_access(path: Path, name: str) -> str:
    readers = [each.told() for each in listed(path)] if recipients_file(path).is_file() else []
    whom = f"it is for {', '.join(readers)}; " if readers else ""
    return f"{whom}ask one of them for: ./slipway secrets recipients add INVENTORY YOUR-PUBLIC-KEY; or set {KEY_FILE}"


def encrypted(text: str, path: Path, name: str) -> bytes:
    """That text for everybody who is listed beside the file. Raises SourceUnreadable."""
    readers = [each.key for each in listed(path)]
    if not readers:
        where = recipients_file(path).name
        raise SourceUnreadable(f"{where} names nobody who may read {name}", "add a line: age1... or ssh-ed25519 ...")
    data: bytes = pyrage.encrypt(text.encode(), readers, armored=True)
    try:
        pyrage.decrypt(data, list(identities().keys))
    except pyrage.DecryptError:
        hint = "put your own public key on the list, or let somebody who stays on it do this"
        raise SourceUnreadable(f"{name} would be closed to you", hint) from None
    return data


@dataclass(frozen=True)
class Recipient:
    """Somebody who may read: a public key, as a line of the list."""

    line: str
    key: Any

    @property
    def public(self) -> str:
        """The key without its comment: what tells two recipients apart."""
        return " ".join(self.line.split()[: 2 if self.line.startswith("ssh-") else 1])

    @property
    def comment(self) -> str:
        """Whose it is, as the line says."""
        return self.line.removeprefix(self.public).lstrip(" #")

    def told(self) -> str:
        """Short enough for a message: the comment, or else the key's beginning."""
        return f"{self.comment} ({self.public[:16]}...)" if self.comment else f"{self.public[:24]}..."


def recipient(line: str) -> Recipient:
    """The recipient that a line names: `age1... # who` or `ssh-ed25519 AAAA... who`. Raises ValueError."""
    line = " ".join(line.split())
    kind = pyrage.ssh.Recipient if line.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        if not line.isprintable():
            raise ValueError
        return Recipient(line, kind.from_str(line if kind is pyrage.ssh.Recipient else line.partition(" ")[0]))
    except (pyrage.RecipientError, ValueError):
        raise ValueError("is no public key for age: age1..., or the line of an ssh-ed25519 .pub file") from None


def listed(path: Path) -> list[Recipient]:
    """Who may read the file at `path`, as the list beside it says. Raises SourceUnreadable."""
    where = recipients_file(path)
    found = []
    for number, line in enumerate(text_of(where, where.name).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(recipient(line))
            except ValueError as error:
                raise SourceUnreadable(f"{where.name}:{number} {error}", "one key a line") from None
    return found


def identities() -> Identities:
    """The keys at hand: SLIPWAY_AGE_KEY_FILE, SLIPWAY_AGE_KEY, or else this person's age key and SSH key.

    Raises SourceUnreadable for a place that is named and of no use, and for a key that others can read.
    """
    places: list[str] = []
    if named := os.environ.get(KEY_FILE):
        keys = _keys_in(text_of(Path(named).expanduser(), named), named)
        refuse_readable_by_others(Path(named).expanduser(), named)
        return Identities(keys, [named])
    if given := os.environ.get(KEY):
        return Identities(_keys_in(given, KEY), [KEY])
    return Identities([*_own_age_keys(places), *_own_ssh_key(places)], places)


def _own_age_keys(places: list[str]) -> Sequence[Any]:
    path = own_key()
    if not path.is_file():
        places.append(f"no {_short(path)}")
        return []
    refuse_readable_by_others(path, _short(path))
    places.append(_short(path))
    return _keys_in(text_of(path, _short(path)), _short(path))


def _own_ssh_key(places: list[str]) -> Iterator[Any]:
    path = Path.home() / ".ssh/id_ed25519"
    if not path.is_file():
        places.append(f"no {_short(path)}")
        return
    try:
        yield pyrage.ssh.Identity.from_buffer(path.read_bytes())
        places.append(_short(path))
    except pyrage.IdentityError as error:
        # One with a passphrase: nobody is there to be asked for it where a run is scheduled.
        places.append(f"{_short(path)} cannot be used: {error}")
    except OSError as error:
        places.append(f"{_short(path)} cannot be read: {error.strerror}")


def _keys_in(text: str, place: str) -> list[Any]:
    """The keys of an identity file of age, or the one SSH key that it is. Raises SourceUnreadable."""
    try:
        if "-----BEGIN " in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        keys = []
    if not keys:
        hint = "it holds a line AGE-SECRET-KEY-1..., as age-keygen writes it, or an SSH key without a passphrase"
        raise SourceUnreadable(f"{place} holds no key of age", hint)
    return keys


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}"


def new_key() -> tuple[str, str]:
    """A new key: the text of its file, and its public half."""
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    return f"# public key: {public}\n{identity}\n", public


def public_keys() -> list[str]:
    """Public halves of this person's own age keys. Raises SourceUnreadable."""
    keys = _own_age_keys([])
    return [str(key.to_public()) for key in keys if isinstance(key, pyrage.x25519.Identity)]
