"""Secrets: named in data, read from one source per inventory, never printed."""

from __future__ import annotations

import hashlib
import hmac
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from slipway.problems import Problem, conflict_line

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
        """`read` gives the value of a name, None where there is none; `remedy` says what gives that name a value."""
        self.source = source
        self.names = names
        self._read = read
        self._remedy = remedy
        self._known: dict[str, Secret] = {}

    def get(self, name: str) -> Secret:
        """The secret of that name. Raises SecretMissing where there is none worth the name."""
        if name not in self._known:
            value, why = self._asked(name)
            if why or value is None:
                raise SecretMissing(name, why, self.source, self._remedy(name))
            self._known[name] = Secret(value)
        return self._known[name]

    def _asked(self, name: str) -> tuple[str | None, str]:
        """The value, and what is wrong with it."""
        try:
            value = self._read(name)
        except Unusable as error:
            return None, str(error)
        return value, _fault(value)


class Unusable(Exception):
    """There is something under that name, but no secret: says why, never what."""


def _fault(value: str | None) -> str:
    if value is None:
        return "is missing"
    if not value.strip():
        return "is empty"
    if value.strip().lower().strip("<>") in PLACEHOLDERS:
        return "is still a placeholder"
    return "holds a NUL byte" if "\0" in value else ""


class SourceUnreadable(Exception):
    """The source itself cannot be used: says which and why, never what is in it."""

    def __init__(self, what: str, hint: str) -> None:
        self.what, self.hint = what, hint
        super().__init__(f"{what}; {hint}")


def open_source(spec: str, root: Path) -> Secrets:
    """Secrets from `file:PATH` (YAML, mode 0600), `env:PREFIX` or `command:WORDS {name}`. Raises SourceUnreadable."""
    kind, _, rest = spec.partition(":")
    openers: Mapping[str, Callable[[str, Path], Secrets]] = {"file": _file, "env": _environment, "command": _command}
    if kind not in openers or not rest.strip():
        hint = "use file:PATH, env:PREFIX or command:WORDS with {name}"
        # Nothing of it is shown beyond a kind: it might be a secret, written where its source belongs.
        what = f"{kind}: is cut" if kind in openers else f"{kind!r} is no secret source"
        raise SourceUnreadable(what if ":" in spec and kind.isidentifier() else "is no secret source", hint)
    return openers[kind](rest, root)


def _file(name: str, root: Path) -> Secrets:
    path = root / name
    text = _text(path, name)
    if (mode := path.stat().st_mode & 0o777) & 0o077:
        raise SourceUnreadable(f"{name} can be read by others (mode {mode:04o})", f"chmod 600 {name}")
    held = _entries(text, name)

    def read(key: str) -> str | None:
        return _scalar(held[key]) if key in held else None

    return Secrets(f"file {name}", read, tuple(held), lambda key: f"write `{key}: ...` in {name}")


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "create it: lines of `name: value`, mode 0600 (the lab's is written by ./slipway lab up)"
        raise SourceUnreadable(f"{name} does not exist", hint) from None
    except UnicodeDecodeError:
        raise SourceUnreadable(f"{name} is not UTF-8", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file's name"
        raise SourceUnreadable(f"{name} cannot be read: {why}", "name a file that you may read") from None


def _entries(text: str, name: str) -> dict[str, yaml.Node]:
    """Name to what stands under it, unread: a password of 0123 or yes is to stay what it is."""
    if line := conflict_line(text):
        raise SourceUnreadable(f"{name}:{line} is in the middle of a merge", "take one side and remove the marks")
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        # The parser's own message would quote the line, and with it the secret.
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise SourceUnreadable(f"{place} is not valid YAML", "each line reads `name: value`") from None
    if not isinstance(root, yaml.MappingNode):
        raise SourceUnreadable(f"{name} must hold `name: value` lines", "one secret a line, its name before the colon")
    held: dict[str, yaml.Node] = {}
    for key, value in root.value:
        if key.value in held:
            line = key.start_mark.line + 1
            raise SourceUnreadable(f"{name}:{line} gives {str(key.value)!r} a second value", "keep one of the two")
        held[key.value] = value
    return held


def _scalar(node: yaml.Node) -> str:
    """The text of a value as it is written. Raises Unusable."""
    if not isinstance(node, yaml.ScalarNode):
        raise Unusable("is a list or a mapping, not text")
    if not node.tag.startswith("tag:yaml.org,") or node.value.startswith("ENC["):
        raise Unusable("is still encrypted")
    is_null = node.style is None and node.value.lower() in ("", "~", "null")
    return "" if is_null else str(node.value)


def _environment(prefix: str, root: Path) -> Secrets:
    names = tuple(key.removeprefix(prefix).lower() for key in os.environ if key.startswith(prefix))

    def read(name: str) -> str | None:
        return os.environ.get(prefix + name.upper())

    return Secrets(f"environment {prefix}*", read, names, lambda name: f"set {prefix}{name.upper()}")


ANSWER_SECONDS = 30
"""Half a minute lets a hardware key be touched; a forgotten prompt must not hang a scheduled run."""


def _command(words: str, root: Path) -> Secrets:
    try:
        template = shlex.split(words)
    except ValueError as error:
        raise SourceUnreadable(f"the command cannot be read: {error}", "quote it as in a shell") from None
    if not any("{name}" in word for word in template):
        raise SourceUnreadable(f"the command {template[0]} is not told which secret", "write {name} where it belongs")
    if shutil.which(template[0], path=os.environ.get("PATH")) is None:
        raise SourceUnreadable(f"the program {template[0]} is not there", "install it, or give its path")

    def read(name: str) -> str | None:
        argv = [word.replace("{name}", name) for word in template]
        try:
            done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Unusable(f"did not come within {ANSWER_SECONDS} s") from None
        except OSError as error:
            raise Unusable(f"could not be asked for: {error.strerror}") from None
        except ValueError:
            raise Unusable("is not UTF-8 text") from None
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    shown = f"see what `{template[0]}` says for it"
    return Secrets(f"command {template[0]}", read, remedy=lambda name: shown)
