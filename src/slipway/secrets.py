"""Secrets: named in data, read from one source per inventory, never printed."""

from __future__ import annotations

import hashlib
import hmac
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

PLACEHOLDERS = frozenset({"changeme", "change-me", "change_me", "todo", "secret", "password", "xxx", "example"})


class Secret:
    """A value that shows itself only to `reveal()`. Printing, formatting and comparing give nothing away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def fingerprint(self) -> str:
        """Tells two versions of a secret apart without telling either: keyed, so it cannot be looked up in a table."""
        return hmac.new(b"slipway secret version", self._value.encode(), hashlib.sha256).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return "Secret(********)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


class SecretMissing(Exception):
    """A secret is missing, empty or a placeholder. Its message names it and never holds its value."""

    def __init__(self, name: str, why: str, source: str) -> None:
        self.name, self.why, self.source = name, why, source
        super().__init__(f"secret {name!r} {why} ({source})")


class Secrets:
    """The secrets of one inventory, read when asked for and checked to be real ones."""

    def __init__(self, source: str, read: Callable[[str], str | None], names: tuple[str, ...] = ()) -> None:
        self.source = source
        self.names = names
        self._read = read
        self._known: dict[str, Secret] = {}

    def get(self, name: str) -> Secret:
        """The secret of that name. Raises SecretMissing where there is none worth the name."""
        if name not in self._known:
            self._known[name] = Secret(self._checked(name, self._read(name)))
        return self._known[name]

    def _checked(self, name: str, value: str | None) -> str:
        if value is None:
            raise SecretMissing(name, "is missing", self.source)
        if not value.strip():
            raise SecretMissing(name, "is empty", self.source)
        if value.strip().lower().strip("<>") in PLACEHOLDERS:
            raise SecretMissing(name, "is still a placeholder", self.source)
        if "\0" in value:
            raise SecretMissing(name, "holds a NUL byte", self.source)
        return value


class SourceUnreadable(Exception):
    """The source itself cannot be used: says which and why, never what is in it."""


def open_source(spec: str, root: Path) -> Secrets:
    """Secrets from `file:PATH` (YAML, mode 0600), `env:PREFIX` or `command:WORDS {name}`. Raises SourceUnreadable."""
    kind, _, rest = spec.partition(":")
    openers: Mapping[str, Callable[[str, Path], Secrets]] = {"file": _file, "env": _environment, "command": _command}
    if kind not in openers or not rest:
        raise SourceUnreadable(f"{spec!r} is no secret source; use file:PATH, env:PREFIX or command:WORDS")
    return openers[kind](rest, root)


def _file(name: str, root: Path) -> Secrets:
    path = root / name
    try:
        mode = path.stat().st_mode & 0o777
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceUnreadable(f"{name} does not exist") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        # The parser's own message would quote the line, and with it the secret.
        raise SourceUnreadable(f"{name} cannot be read as YAML") from None
    if mode & 0o077:
        raise SourceUnreadable(f"{name} can be read by others (mode {mode:04o}); chmod 600 {name}")
    if not isinstance(held, dict):
        raise SourceUnreadable(f"{name} must hold `name: value` lines")
    values = {str(key): str(value) for key, value in held.items() if value is not None}
    return Secrets(f"file {name}", values.get, tuple(values))


def _environment(prefix: str, root: Path) -> Secrets:
    names = tuple(key.removeprefix(prefix).lower() for key in os.environ if key.startswith(prefix))
    return Secrets(f"environment {prefix}*", lambda name: os.environ.get(prefix + name.upper()), names)


def _command(words: str, root: Path) -> Secrets:
    template = shlex.split(words)

    def read(name: str) -> str | None:
        argv = [word.replace("{name}", name) for word in template]
        # Half a minute lets a hardware key be touched; a forgotten prompt must not hang a scheduled run.
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    return Secrets(f"command {template[0]}", read)
