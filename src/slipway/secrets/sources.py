"""Where secrets are read: a file, encrypted by age or the owner's alone, the environment, or a command."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway.secrets.document import entries, scalar
from slipway.secrets.reading import Secrets, SourceUnreadable, Unusable, unreadable


def open_source(spec: str, root: Path) -> Secrets:
    """Secrets of `age:PATH`, `file:PATH` (YAML, 0600), `env:PREFIX` or `command:WORDS {name}`.

    Raises SourceUnreadable.
    """
    kind, rest = kind_of(spec)
    return OPENERS[kind](rest, root)


def kind_of(spec: str) -> tuple[str, str]:
    """The kind of a source, and its place. Raises SourceUnreadable for what is none."""
    kind, _, rest = spec.partition(":")
    if kind not in OPENERS or not rest.strip():
        hint = "use age:PATH, file:PATH, env:PREFIX or command:WORDS with {name}"
        # Nothing of it is shown beyond a kind: it might be a secret, written where its source belongs.
        what = f"{kind}: is cut" if kind in OPENERS else f"{kind!r} is no secret source"
        raise SourceUnreadable(what if ":" in spec and kind.isidentifier() else "is no secret source", hint)
    return kind, rest


def _file(name: str, root: Path) -> Secrets:
    path = root / name
    text = text_of(path, name)
    refuse_readable_by_others(path, name)
    return _of_text(text, name, f"file {name}", f"write `{{}}: ...` in {name}")


def _age(name: str, root: Path) -> Secrets:
    from slipway.secrets import age  # an inventory without it does not pay for it

    text = age.decrypted((root / name), name)
    return _of_text(text, name, f"age {name}", f"./slipway secrets set INVENTORY {{}} writes it into {name}")


def _of_text(text: str, name: str, source: str, remedy: str) -> Secrets:
    held = entries(text, name)

    def read(key: str) -> str | None:
        return scalar(held[key]) if key in held else None

    return Secrets(source, read, tuple(held), lambda key: remedy.replace("{}", key))


def text_of(path: Path, name: str) -> str:
    """The text of a file of secrets. Raises SourceUnreadable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "create it: lines of `name: value`, mode 0600 (the lab's is written by ./slipway lab up)"
        raise SourceUnreadable(f"{name} does not exist", hint) from None
    except UnicodeDecodeError:
        raise SourceUnreadable(f"{name} is not UTF-8", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from None


def refuse_readable_by_others(path: Path, name: str) -> None:
    """Raises SourceUnreadable for a file that somebody else may read."""
    if (mode := path.stat().st_mode & 0o777) & 0o077:
        raise SourceUnreadable(f"{name} can be read by others (mode {mode:04o})", f"chmod 600 {name}")


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


OPENERS: Mapping[str, Callable[[str, Path], Secrets]] = {
    "age": _age,
    "file": _file,
    "env": _environment,
    "command": _command,
}
"""Kind of source to what opens it."""
