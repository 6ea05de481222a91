"""Services that native roles provide: a Postgres, Redis or Nginx container of the file becomes data of the role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from slipway.compose.deploying import joined_resources
from slipway.compose.environment import marked_environment
from slipway.compose.extension import ServiceExtension
from slipway.compose.model import NativeDatabase, NativeRole, NativeService
from slipway.compose.mounts import volume
from slipway.compose.nodes import Finding, ListNode, MapNode, Node, Scalar, Told, Wrong
from slipway.compose.parts import Resources, SecretRef, ServiceSecret, Volume
from slipway.compose.reading import Reading, variable_of
from slipway.compose.scalars import list_of, listing, mapping, scalar, split_words
from slipway.compose.service import SERVICE, image_tag
from slipway.compose.table import Key, Table

Kind = Literal["postgres", "redis", "nginx"]

_IMAGES: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "postgres": ("postgres", ()),
    "pgvector/pgvector": ("postgres", ("vector",)),
    "ankane/pgvector": ("postgres", ("vector",)),
    "postgis/postgis": ("postgres", ("postgis",)),
    "redis": ("redis", ()),
    "nginx": ("nginx", ()),
    "nginxinc/nginx-unprivileged": ("nginx", ()),
}
_DATA = {"postgres": ("/var/lib/postgresql/data", "/var/lib/postgresql"), "redis": ("/data",), "nginx": ()}
_POSTGRES_USES = (
    *("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"),
    "POSTGRES_HOST_AUTH_METHOD",
)
_FITTING = {"group", "native", "extensions"}
_SECRET_FILE = re.compile(r"\$\(cat (/[^\s)]+)\)|\$\(<(/[^\s)]+)\)")
_USE_SECRET = "put it into the secret source and write ${NAME} here, or use a file of `secrets:`"


def _marked_words(node: Node, reading: Reading) -> tuple[str, ...]:
    if isinstance(node, ListNode):
        return tuple(reading.marked(scalar(item, "a string")) for item in listing(node).items)
    return split_words(reading.marked(scalar(node, "a command")), node.line)


_CARRIED = ("image", "env_file", "secrets", "ports", "deploy", "cpus", "mem_limit", "mem_reservation", "x-slipway")
NATIVE = Table(
    supported={
        **{name: SERVICE.supported[name] for name in _CARRIED},
        "environment": Key("environment", marked_environment),
        "command": Key("command", _marked_words),
        "volumes": Key("volumes", list_of(volume)),
    },
    noted={
        name: "not carried over: the native role has its own way"
        for name in (*SERVICE.supported, *SERVICE.refused, *SERVICE.noted)
        if name not in (*_CARRIED, "environment", "command", "volumes")
    },
)


def native_kind(node: Node, reading: Reading) -> Kind | None:
    """Which native role provides this service; None for an application. Raises nothing: what is wrong is told later."""
    entries = node.entries if isinstance(node, MapNode) else {}
    image = entries.get("image")
    if "build" in entries or not isinstance(image, Scalar) or _runs_as_container(entries.get("x-slipway")):
        return None
    try:
        return _known_image(reading.text(image))[0]
    except Wrong:
        return None


def _runs_as_container(extension: Node | None) -> bool:
    native = extension.entries.get("native") if isinstance(extension, MapNode) else None
    return isinstance(native, Scalar) and native.kind == "bool" and native.text.lower() in ("false", "no", "off")


def _known_image(image: str) -> tuple[Kind | None, tuple[str, ...]]:
    name = image_tag(image)[0]
    for prefix in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    name = re.sub(r"^(?:[^/]+/)?library/", "", name)
    return _IMAGES.get(name, (None, ()))


def _version(image: str) -> str | None:
    tag = image_tag(image)[1]
    match = re.search(r"pg([0-9]+)", tag) or re.match(r"v?([0-9]+(?:\.[0-9]+)*)", tag)
    return match[1] if match else None


def native_service(
    name: str, kind: Kind, node: Node, reading: Reading, secrets: Mapping[str, SecretRef]
) -> NativeService:
    """The service as data of its role. Raises Told where anything in it is wrong, after writing down all of it."""
    told = len(reading.problems)
    values = NATIVE.read(node, reading)
    x = values.get("x", ServiceExtension())
    _refuse_unfitting(x, node, reading)
    given: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "image": values.get("image", ""),
        "version": _version(values.get("image", "")),
        "group": _group(kind, x, values),
        "ports": values.get("ports", ()),
        "resources": reading.attempt(lambda each, reading: _resources(values, each), node) or Resources(),
        "data_directory": _data_directory(kind, values.get("volumes", ()), reading),
    }
    reader = _Server(values, mapping(node), reading, secrets)
    given.update(reading.attempt(lambda each, reading: reader.fields(kind), node) or {})
    if len(reading.problems) > told:
        raise Told
    return NativeService(**given)


def _refuse_unfitting(x: ServiceExtension, node: Node, reading: Reading) -> None:
    for field in sorted(x.model_fields_set - _FITTING):
        line = mapping(node).lines.get("x-slipway", node.line)
        reading.report(
            Finding(line, f"x-slipway.{field} of a native service", "remove it, or write x-slipway.native: false")
        )


def _group(kind: Kind, x: ServiceExtension, values: Mapping[str, Any]) -> str:
    constraint = values.get("deploy", {}).get("constraint_group")
    return x.group if "group" in x.model_fields_set else constraint or kind


def _resources(values: Mapping[str, Any], node: Node) -> Resources:
    return joined_resources(values, values.get("deploy", {}).get("resources", Resources()), node.line)


def _data_directory(kind: Kind, volumes: tuple[Volume, ...], reading: Reading) -> str | None:
    """Where the file keeps the data on its host. Other mounts are told of: they are the role's to render."""
    found = None
    for each in volumes:
        if each.target.rstrip("/") in _DATA[kind]:
            found = each.source if each.type == "bind" and str(each.source).startswith("/") else found
        else:
            reading.note(
                reading.line("services", *_here(reading), "volumes"),
                f"{each.target}: not carried over: {_instead(kind, each)}",
            )
    return found


def _here(reading: Reading) -> tuple[str, ...]:
    return reading.path[1:2]


def _instead(kind: Kind, mount: Volume) -> str:
    if kind == "nginx":
        return "describe routes under x-slipway.edge of the services"
    if "initdb.d" in mount.target:
        return "make tables in migrations, under top-level x-slipway.migrate"
    return f"the native role renders its configuration; give settings in `command`, or in group data of {kind}"


class _Server:
    """Fields that come from the environment and the command line of the container."""

    def __init__(
        self, values: Mapping[str, Any], node: MapNode, reading: Reading, secrets: Mapping[str, SecretRef]
    ) -> None:
        self._reading, self._secrets, self._node = reading, secrets, node
        self._environment = {**values.get("env_file", {}), **values.get("environment", {})}
        self._command: tuple[str, ...] = values.get("command", ())
        self._mounted: tuple[ServiceSecret, ...] = values.get("secrets", ())
        self._extensions = (*_known_image(values.get("image", ""))[1], *values.get("x", ServiceExtension()).extensions)

    def fields(self, kind: Kind) -> dict[str, Any]:
        used = _POSTGRES_USES if kind == "postgres" else ()
        for name in self._environment:
            if name not in used:
                self._reading.note(
                    self._line("environment", name), f"environment.{name}: not carried over: no part of the native role"
                )
        return {"postgres": self._postgres, "redis": self._redis, "nginx": self._nginx}[kind]()

    def _line(self, *path: str) -> int:
        return self._reading.line("services", *_here(self._reading), *path)

    def _postgres(self) -> dict[str, Any]:
        user = self._plain("POSTGRES_USER") or "postgres"
        database = self._plain("POSTGRES_DB") or user
        self._refuse_trust()
        extensions = tuple(dict.fromkeys(self._extensions))
        return {
            "roles": (NativeRole(name=user, password=self._postgres_password()),),
            "databases": (NativeDatabase(name=database, owner=user, extensions=extensions),),
            "initdb_args": split_words(self._plain("POSTGRES_INITDB_ARGS"), self._line("environment")),
            "settings": self._postgres_settings(),
        }

    def _plain(self, name: str) -> str:
        return self._reading.unmarked(self._environment.get(name, ""), self._line("environment", name))

    def _refuse_trust(self) -> None:
        if self._plain("POSTGRES_HOST_AUTH_METHOD") == "trust":
            line = self._line("environment", "POSTGRES_HOST_AUTH_METHOD")
            raise Wrong(line, "POSTGRES_HOST_AUTH_METHOD: trust lets anyone in", "remove it and give POSTGRES_PASSWORD")

    def _postgres_password(self) -> SecretRef:
        if "POSTGRES_PASSWORD_FILE" in self._environment:
            return self._file_secret(
                self._plain("POSTGRES_PASSWORD_FILE"), self._line("environment", "POSTGRES_PASSWORD_FILE")
            )
        if "POSTGRES_PASSWORD" in self._environment:
            return self._password(
                self._environment["POSTGRES_PASSWORD"],
                "POSTGRES_PASSWORD",
                self._line("environment", "POSTGRES_PASSWORD"),
            )
        raise Wrong(self._line(), "POSTGRES_PASSWORD is missing", _USE_SECRET)

    def _password(self, written: str, key: str, line: int) -> SecretRef:
        name = variable_of(written)
        if name in self._reading.secret_names:
            return SecretRef(name=name, kind="slipway", source=name)
        if name:
            return SecretRef(name=name, kind="environment", source=name)
        in_file = _SECRET_FILE.fullmatch(written)
        if in_file:
            return self._file_secret(in_file[1] or in_file[2], line)
        raise Wrong(line, f"{key}: a password stands in the file", _USE_SECRET)

    def _file_secret(self, path: str, line: int) -> SecretRef:
        source = next((each.source for each in self._mounted if each.target == path), "")
        if source not in self._secrets:
            raise Wrong(
                line, f"{path} is no secret of this service", "list it under the service's `secrets:` and at top level"
            )
        return self._secrets[source]

    def _postgres_settings(self) -> dict[str, str]:
        words, line = list(self._command), self._line("command")
        if words[:1] == ["postgres"]:
            del words[0]
        found: dict[str, str] = {}
        while words:
            word = words.pop(0)
            setting = (
                words.pop(0) if word in ("-c", "--config") and words else word.removeprefix("-c").removeprefix("--")
            )
            name, equals, value = self._reading.unmarked(setting, line).partition("=")
            if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name) or (word[:1] != "-"):
                raise Wrong(
                    line, f"{word!r} is no setting of Postgres", "write the command as: postgres -c name=value ..."
                )
            found[name.replace("-", "_")] = value
        return self._without_files(found, ("config_file", "hba_file", "ident_file", "data_directory"), line)

    def _without_files(self, settings: dict[str, str], names: tuple[str, ...], line: int) -> dict[str, str]:
        for name in names:
            if name in settings:
                self._reading.note(line, f"command: {name}: not carried over: the native role renders its own")
        return {name: value for name, value in settings.items() if name not in names}

    def _redis(self) -> dict[str, Any]:
        line, words = self._line("command"), self._redis_words()
        settings: dict[str, list[str]] = {}
        name = ""
        for word in words:
            if word.startswith("--"):
                name = word[2:].lower()
                settings.setdefault(name, [])
            elif name:
                settings[name].append(word)
            else:
                self._reading.note(
                    line, f"command: {word}: not carried over: the native role renders its own configuration"
                )
        password = settings.pop("requirepass", None)
        plain = {
            key: " ".join(self._reading.unmarked(value, line) for value in values) for key, values in settings.items()
        }
        ref = self._password(" ".join(password), "requirepass", line) if password else None
        return {"settings": self._without_files(plain, ("dir", "daemonize", "bind", "port"), line), "password": ref}

    def _redis_words(self) -> list[str]:
        words = list(self._command)
        if len(words) == 3 and words[0].rsplit("/", 1)[-1] in ("sh", "bash") and words[1] in ("-c", "-ec", "-lc"):
            words = [word for word in split_words(words[2], self._line("command")) if word != "exec"]
        if words and words[0].rsplit("/", 1)[-1] == "redis-server":
            del words[0]
        elif words and not words[0].startswith("--"):
            hint = "write the command as: redis-server --maxmemory 2gb ..."
            raise Wrong(self._line("command"), f"{words[0]!r} is not redis-server", hint)
        return words

    def _nginx(self) -> dict[str, Any]:
        if self._command:
            self._reading.note(self._line("command"), "command: not carried over: the native role starts Nginx")
        return {}
