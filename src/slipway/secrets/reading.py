"""The secrets of one inventory: asked for by name, checked to be real ones, each with who asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipway.problems import Problem
from slipway.secrets.value import Secret
from slipway.secrets.versions import DELIVERED, KINDS, LOGIN, MOVED, NEXT, PREVIOUS, Versions, entry, is_reserved, split

PLACEHOLDERS = frozenset({"changeme", "change-me", "change_me", "todo", "secret", "password", "xxx", "example"})


class SecretMissing(Exception):
    """A secret is missing, empty or a placeholder. Its message names it and never holds its value."""

    def __init__(self, name: str, why: str, source: str, remedy: str = "") -> None:
        self.name, self.why, self.source, self.remedy = name, why, source, remedy
        super().__init__(f"secret {name!r} {why} ({source})")

    def problem(self, user: str) -> Problem:
        """As validation tells it, with who needs it."""
        hint = "; ".join(part for part in (self.remedy, f"needed by {user}") if part)
        return Problem(f"secrets ({self.source})", f"{self.name!r} {self.why}", hint)


class Secrets:
    """The secrets of one inventory, read when asked for and checked to be real ones."""

    def __init__(
        self,
        source: str,
        read: Callable[[str], str | None],
        names: tuple[str, ...] = (),
        remedy: Callable[[str], str] = lambda name: "",
    ) -> None:
        """`read` gives the value of a name, None where there is none; `remedy` says what gives that name a value.

        + names: every entry, where the source can tell; entries of rotations are known by them alone
        """
        self.source = source
        self.names = tuple(name for name in names if not is_reserved(name))
        self.entries = frozenset(names)
        self.asked: dict[str, dict[str, None]] = {}
        """Name to who has asked for it, in that order."""
        self._read = read
        self._remedy = remedy
        self._known: dict[str, Secret] = {}
        self._user = ""

    @contextmanager
    def asked_by(self, user: str) -> Iterator[None]:
        """Whoever asks in this block asks for that user; nobody in particular where it is empty."""
        before, self._user = self._user, user
        try:
            yield
        finally:
            self._user = before

    def get(self, name: str) -> Secret:
        """The secret of that name. Raises SecretMissing where there is none worth the name."""
        self._note(name)
        if is_reserved(name):
            own = split(name)[0]
            raise SecretMissing(name, f"belongs to the rotation of {own!r}", self.source, f"name {own!r}")
        return self._get(name)

    def delivered(self, name: str) -> Secret:
        """What an application gets by that name.

        `NAME.next` and `NAME.previous` are for those that take two values at a time: where there is no other version
        it is the present one. Raises SecretMissing.
        """
        own, kind = split(name)
        if kind not in DELIVERED:
            return self.get(name)
        self._note(name)
        return self._get(name if name in self.entries else own)

    def accepted(self, name: str) -> tuple[Secret, ...]:
        """Every version that a server is to take, the present one first. Raises SecretMissing."""
        present, other = self.get(name), self.versions(name).other
        return (present, other) if other else (present,)

    def version(self, name: str, kind: str) -> Secret:
        """One version of a secret in rotation. Raises SecretMissing."""
        return self._get(entry(name, kind))

    def versions(self, name: str) -> Versions:
        """What there is of it besides its present value. Raises SecretMissing where that is no secret."""
        there = [kind for kind in KINDS if entry(name, kind) in self.entries]
        values = {kind: self._get(entry(name, kind)) for kind in there if kind in DELIVERED}
        told = {kind: self._read(entry(name, kind)) or "" for kind in there if kind not in DELIVERED}
        return Versions(told.get(LOGIN, ""), values.get(NEXT), values.get(PREVIOUS), told.get(MOVED, ""))

    def logins(self) -> dict[str, str]:
        """Name of each secret whose login a rotation has settled, and that login."""
        own = [split(key) for key in self.entries]
        return {name: self.versions(name).login for name, kind in own if kind == LOGIN}

    def look(self, name: str) -> tuple[Secret | None, str]:
        """The secret as far as there is one, and what is wrong with it; for showing."""
        value, why = self._asked(name)
        return (None if value is None else Secret(value)), why

    def _note(self, name: str) -> None:
        if self._user:
            self.asked.setdefault(name, {})[self._user] = None

    def _get(self, name: str) -> Secret:
        if name not in self._known:
            value, why = self._asked(name)
            if why or value is None:
                raise SecretMissing(name, why, self.source, self._remedy(name))
            self._known[name] = Secret(value)
        return self._known[name]

    def _asked(self, name: str) -> tuple[str | None, str]:
        """The value, or what is wrong with it: then no frame above has the value."""
        try:
            value = self._read(name)
        except Unusable as error:
            return None, str(error)
        why = fault(value)
        return (None if why else value), why


class Unusable(Exception):
    """There is something under that name, but no secret: says why, never what."""


def fault(value: str | None) -> str:
    """What is wrong with a secret's value; empty where it will do. Never a word of it."""
    if value is None:
        return "is missing"
    if not value.strip():
        return "is empty"
    if value.strip().lower().strip("<>") in PLACEHOLDERS:
        return "is still a placeholder"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half a surrogate pair, which is no character"
    return "holds a NUL byte" if "\0" in value else ""


class SourceUnreadable(Exception):
    """The source itself cannot be used: says which and why, never what is in it."""

    def __init__(self, what: str, hint: str) -> None:
        self.what, self.hint = what, hint
        super().__init__(f"{what}; {hint}")


def unreadable(name: str, error: Exception) -> SourceUnreadable:
    """What the system says of a file that it does not give."""
    why = getattr(error, "strerror", None) or "no file's name"
    return SourceUnreadable(f"{name} cannot be read: {why}", "name a file that you may read")
