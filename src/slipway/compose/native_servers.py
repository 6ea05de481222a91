"""What the environment and the command line of a Postgres, Redis or Nginx container say about its server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.compose.model import NativeDatabase, NativeRole
from slipway.compose.nodes import Wrong
from slipway.compose.parts import SecretRef, ServiceSecret
from slipway.compose.reading import Reading, variable_of
from slipway.compose.scalars import split_words

_POSTGRES_USES = (
    *("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"),
    "POSTGRES_HOST_AUTH_METHOD",
)
_POSTGRES_FILES = ("config_file", "hba_file", "ident_file", "data_directory")
_REDIS_PLACES = ("dir", "daemonize", "bind", "port")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_CAT = re.compile(r"\$\((?:cat |<)(/[^\s)]+)\)")
_SHELLS, _SHELL_OPTIONS = ("sh", "bash", "ash"), ("-c", "-ec", "-lc")
_GIVE_IT = "put it into the secret source and write ${NAME} here, or use a file of `secrets:`"


@dataclass(frozen=True)
class Written:
    """What the file says about one native service. Values still have the marks of their variables."""

    reading: Reading
    service: str
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    mounted: tuple[ServiceSecret, ...] = ()
    extensions: tuple[str, ...] = ()
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)

    def line(self, *path: str) -> int:
        """Line of what stands at `path` within the service."""
        return self.reading.line("services", self.service, *path)

    def plain(self, name: str) -> str:
        """A variable's value; an empty string where it is not given."""
        return self.reading.unmarked(self.environment.get(name, ""), self.line("environment", name))

    def note(self, path: tuple[str, ...], what: str, why: str) -> None:
        self.reading.note(self.line(*path), f"{what}: not carried over: {why}")

    def note_unused(self, used: tuple[str, ...]) -> None:
        for name in self.environment:
            if name not in used:
                self.note(("environment", name), f"environment.{name}", "no part of the native role")

    def password(self, written: str, key: str, line: int) -> SecretRef:
        """Where a password comes from. Raises Wrong where it stands in the file; never says what it is."""
        name, in_file = variable_of(written), _CAT.fullmatch(written)
        if in_file:
            return self.file_secret(in_file[1], line)
        if not name:
            raise Wrong(line, f"{key}: a password stands in the file", _GIVE_IT)
        kind: Any = "slipway" if name in self.reading.secret_source else "environment"
        self.reading.secret_names.add(name)
        return SecretRef(name=name, kind=kind, source=name)

    def file_secret(self, path: str, line: int) -> SecretRef:
        """The secret that is mounted at `path`."""
        source = next((each.source for each in self.mounted if each.target == path), "")
        if source not in self.secrets:
            hint = "list it under the service's `secrets:` and at top level"
            raise Wrong(line, f"{path} is no secret of this service", hint)
        return self.secrets[source]

    def without(self, names: tuple[str, ...], settings: Mapping[str, str]) -> dict[str, str]:
        """Settings without those that are the role's own to decide, which are told of."""
        for name in names:
            if name in settings:
                self.note(("command",), f"command: {name}", "the native role decides it")
        return {name: value for name, value in settings.items() if name not in names}


def postgres(written: Written) -> dict[str, Any]:
    """Roles, databases and settings of a Postgres service."""
    written.note_unused(_POSTGRES_USES)
    user = written.plain("POSTGRES_USER") or "postgres"
    database = written.plain("POSTGRES_DB") or user
    if written.plain("POSTGRES_HOST_AUTH_METHOD") == "trust":
        line = written.line("environment", "POSTGRES_HOST_AUTH_METHOD")
        raise Wrong(line, "POSTGRES_HOST_AUTH_METHOD: trust lets anyone in", "remove it and give POSTGRES_PASSWORD")
    extensions = tuple(dict.fromkeys(written.extensions))
    return {
        "roles": (NativeRole(name=user, password=_postgres_password(written)),),
        "databases": (NativeDatabase(name=database, owner=user, extensions=extensions),),
        "initdb_args": split_words(written.plain("POSTGRES_INITDB_ARGS"), written.line("environment")),
        "settings": written.without(_POSTGRES_FILES, _postgres_settings(written)),
    }


def _postgres_password(written: Written) -> SecretRef:
    in_file, direct = "POSTGRES_PASSWORD_FILE", "POSTGRES_PASSWORD"
    if in_file in written.environment:
        return written.file_secret(written.plain(in_file), written.line("environment", in_file))
    if direct in written.environment:
        return written.password(written.environment[direct], direct, written.line("environment", direct))
    raise Wrong(written.line(), "POSTGRES_PASSWORD is missing", "write POSTGRES_PASSWORD: ${NAME} of the secret source")


def _postgres_settings(written: Written) -> dict[str, str]:
    words, line = list(written.command), written.line("command")
    if words[:1] == ["postgres"]:
        del words[0]
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        setting = words.pop(0) if word == "-c" and words else word.removeprefix("-c").removeprefix("--")
        setting = written.reading.unmarked(setting, line)
        name, equals, value = setting.partition("=")
        if not equals or not word.startswith("-") or not _SETTING.fullmatch(name):
            raise Wrong(
                line, f"{setting!r} is no setting of Postgres", "write the command as: postgres -c name=value ..."
            )
        found[name.replace("-", "_")] = value
    return found


def redis(written: Written) -> dict[str, Any]:
    """Settings and password of a Redis service."""
    written.note_unused(())
    line, settings = written.line("command"), _redis_options(written)
    password = settings.pop("requirepass", None)
    plain = {
        name: " ".join(written.reading.unmarked(value, line) for value in values) for name, values in settings.items()
    }
    ref = written.password(" ".join(password), "requirepass", line) if password else _only_secret(written)
    return {"settings": written.without(_REDIS_PLACES, plain), "password": ref}


def _only_secret(written: Written) -> SecretRef | None:
    """A Redis container can do nothing with a secret but ask for it, so the only one it is given is its password."""
    sources = [each.source for each in written.mounted if each.source in written.secrets]
    return written.secrets[sources[0]] if len(sources) == 1 else None


def _redis_options(written: Written) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for word in _redis_words(written):
        if word.startswith("--"):
            name = word[2:].lower()
            found.setdefault(name, [])
        elif name:
            found[name].append(word)
        else:
            written.note(("command",), f"command: {word}", "the native role renders its own configuration")
    return found


def _redis_words(written: Written) -> list[str]:
    words, line = list(written.command), written.line("command")
    if len(words) == 3 and _program(words) in _SHELLS and words[1] in _SHELL_OPTIONS:
        words = [word for word in split_words(words[2], line) if word != "exec"]
    if words and _program(words) == "redis-server":
        del words[0]
    elif words and not words[0].startswith("--"):
        what = f"{written.reading.unmarked(words[0], line)!r} is not redis-server"
        raise Wrong(line, what, "write the command as: redis-server --maxmemory 2gb ...")
    return words


def _program(words: list[str]) -> str:
    return words[0].rsplit("/", 1)[-1]


def nginx(written: Written) -> dict[str, Any]:
    """Nothing but its ports: what it serves is said by the services."""
    written.note_unused(())
    if written.command:
        written.note(("command",), "command", "the native role starts Nginx")
    return {}
