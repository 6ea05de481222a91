"""From a Compose file to a stack, or to everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from slipway.compose import refused
from slipway.compose.checks import check_canary, check_services, check_unused_secrets, in_dependency_order
from slipway.compose.environment import read_env_file
from slipway.compose.extending import STACK_EXTENSION
from slipway.compose.extension import Migration, ReleaseSettings
from slipway.compose.model import NativeService, Service, Stack
from slipway.compose.native import native_kind, native_service
from slipway.compose.nodes import Finding, MapNode, Node, Scalar, Told, Wrong, parse
from slipway.compose.parts import SecretRef
from slipway.compose.reading import Reading, absolute, is_there
from slipway.compose.scalars import boolean, mapping, one_of, text
from slipway.compose.service import service
from slipway.compose.table import Key, Table
from slipway.problems import BadInput, Problem, did_you_mean

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

SECRET = Table(
    supported={
        "file": Key("file", text),
        "environment": Key("environment", text),
        "external": Key("external", boolean),
        "name": Key("name", text),
    },
    refused=refused.SECRET_REFUSED,
    noted=refused.SECRET_NOTED,
)
VOLUME = Table(
    supported={"name": Key("name", text), "driver": Key("driver", one_of("local"))},
    refused=refused.VOLUME_REFUSED,
    noted=refused.VOLUME_NOTED,
)
NETWORK = Table(
    supported={"driver": Key("driver", one_of("bridge", "overlay"))},
    refused=refused.NETWORK_REFUSED,
    noted=refused.NETWORK_NOTED,
)


def load(path: Path, *, variables: Mapping[str, str], secret_names: Collection[str] = ()) -> Stack:
    """The stack that the Compose file at `path` describes.

    `variables` are for interpolation, above those of `.env` beside the file; `secret_names` are the names in the
    inventory's secret source, whose values may not stand in the file. Reads `.env`, env_file and nothing else.
    Raises BadInput with every problem, each with its file and line.
    """
    reading = Reading(Path(path), variables, secret_names)
    stack = reading.attempt(_stack, _document(Path(path), reading))
    if stack is None or len(reading.problems):
        raise BadInput(sorted(reading.problems, key=_place))
    return stack


def _place(problem: Problem) -> tuple[str, int]:
    """File and line, to tell problems in the order of the file."""
    file, _, line = problem.where.rpartition(":")
    return file, int(line) if line.isdigit() else 0


def _document(path: Path, reading: Reading) -> Node:
    try:
        written = path.read_bytes().decode("utf-8-sig")
        dotenv = path.parent / ".env"
        if is_there(dotenv, Path.is_file):
            reading.variables = {**read_env_file(dotenv, reading, refuse_secrets=False), **reading.variables}
        reading.root, findings = parse(written)
    except OSError as error:
        reading.problems.add(reading.label, f"cannot be read: {error.strerror}", "a stack is stacks/<app>/compose.yaml")
    except UnicodeDecodeError:
        reading.problems.add(reading.label, "is not UTF-8", "save it as UTF-8")
    except Wrong as wrong:
        reading.report(wrong.finding)
    else:
        for finding in findings:
            reading.report(finding)
    _stop_where_unreadable(reading)
    return reading.root


def _stop_where_unreadable(reading: Reading) -> None:
    if isinstance(reading.root, MapNode) and not reading.root.entries:
        reading.problems.raise_if_any()


def _stack(root: Node, reading: Reading) -> Stack:
    if not isinstance(root, MapNode):
        raise Wrong(root.line, "a Compose file is a mapping with `services:`", "begin with the line `services:`")
    values = TOP.read(root, reading)
    name = values.get("name") or (reading.directory.name if "name" in root.entries else _directory_name(reading))
    secrets = values.get("secrets", {})
    reading.secret_names.update(ref.source for ref in secrets.values() if ref.kind == "environment")
    natives, applications = _services(str(name), root, reading, secrets)
    extension = _extension(values.get("x"), reading)
    check_services(applications, reading)
    _check_migration(extension.get("migration"), reading, [each.name for each in applications])
    if extension.get("canary"):
        check_canary(applications, len(reading.declared("services")) > len(applications) + len(natives), reading)
    _note_unused(secrets, applications, natives, reading)
    ordered = in_dependency_order(applications, reading)
    if len(reading.problems):
        raise Told
    return Stack(
        name=str(name),
        directory=absolute(reading.directory),
        services=ordered,
        secrets=secrets,
        volumes=_volume_names(str(name), values.get("volumes", {}), applications),
        native=natives,
        **extension,
        notes=tuple(reading.notes),
    )


def _directory_name(reading: Reading) -> str:
    name = absolute(reading.directory).name
    if not _NAME.fullmatch(name):
        reading.report(Finding(1, f"the directory's name {name!r} is no name of a stack", "write `name:` in the file"))
    return name


def _name(node: Node, reading: Reading) -> str:
    found = text(node, reading)
    if not _NAME.fullmatch(found):
        raise Wrong(
            node.line,
            f"{found!r} is no name of a stack",
            "lower-case letters, digits, - and _, a letter or digit first",
        )
    return found


def _services(
    stack: str, root: MapNode, reading: Reading, secrets: Mapping[str, SecretRef]
) -> tuple[dict[str, NativeService], list[Service]]:
    natives: dict[str, NativeService] = {}
    applications: list[Service] = []
    node = root.entries.get("services")
    if not isinstance(node, MapNode) or not node.entries:
        line = root.lines.get("services", root.line)
        reading.report(Finding(line, "there is no service", "describe at least one under `services:`"))
        return natives, applications
    kinds = {name: native_kind(written, reading) for name, written in node}
    # Native services first: the variables that are their passwords may not stand in an application's environment.
    for name, written in sorted(node, key=lambda entry: kinds[entry[0]] is None):
        kind = kinds[name]
        with reading.under("services", name):
            _check_service_name(name, node.lines[name], reading)
            if kind is None:
                made = reading.attempt(partial(service, stack, name), written)
                applications += [made] if made else []
            else:
                native = reading.attempt(partial(native_service, name, kind, secrets), written)
                natives.update({name: native} if native else {})
    return natives, applications


def _check_service_name(name: str, line: int, reading: Reading) -> None:
    if not _SERVICE_NAME.fullmatch(name):
        reading.report(
            Finding(line, f"{name!r} is no name of a service", "letters, digits, - _ and ., a letter or digit first")
        )


def _secrets(node: Node, reading: Reading) -> dict[str, SecretRef]:
    found: dict[str, SecretRef] = {}
    for name, value in mapping(node):
        with reading.under(name):
            ref = reading.attempt(partial(_secret, name), value)
        if ref is not None:
            found[name] = ref
    return found


def _secret(name: str, node: Node, reading: Reading) -> SecretRef:
    told = len(reading.problems)
    values = SECRET.read(node, reading)
    if len(reading.problems) > told:
        raise Told
    given = [key for key in ("file", "environment", "external") if values.get(key)]
    if len(given) != 1:
        said = "more than one source" if given else "no source"
        raise Wrong(
            node.line, f"the secret has {said}", "write one of: external: true, file: path, environment: VARIABLE"
        )
    if given[0] == "external":
        return SecretRef(name=name, kind="slipway", source=values.get("name", name))
    if given[0] == "file":
        return SecretRef(name=name, kind="file", source=str(absolute(reading.directory / values["file"])))
    return SecretRef(name=name, kind="environment", source=values["environment"])


def _volumes(node: Node, reading: Reading) -> dict[str, str]:
    """Volumes by key, with the name the file gives them, or an empty string."""
    found: dict[str, str] = {}
    for name, value in mapping(node):
        found[name] = ""
        if not _is_null(value):
            with reading.under(name):
                found[name] = (reading.attempt(VOLUME.read, value) or {}).get("name", "")
    return found


def _volume_names(stack: str, declared: Mapping[str, str], services: list[Service]) -> dict[str, str]:
    used = {mount.source for service in services for mount in service.volumes if mount.type == "volume"}
    return {key: name or f"{stack}_{key}" for key, name in declared.items() if key in used}


def _networks(node: Node, reading: Reading) -> bool:
    for name, value in mapping(node):
        if not _is_null(value):
            with reading.under(name):
                reading.attempt(NETWORK.read, value)
    reading.note(node.line, "left out: all services of a stack reach each other by name")
    return True


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind == "null"


def _extension(values: Mapping[str, Any] | None, reading: Reading) -> dict[str, Any]:
    """Fields of the stack that `x-slipway` decides."""
    settings = dict(values or {})
    names = ("migration", "rollout", "canary")
    fields: dict[str, Any] = {name: settings.pop(name) for name in names if name in settings}
    node = reading.root.entries.get("x-slipway") if isinstance(reading.root, MapNode) else None
    if node is None or not settings:
        return fields
    with reading.under("x-slipway"):
        return {**fields, "release": STACK_EXTENSION.made(ReleaseSettings, settings, node, reading)}


def _check_migration(migration: Migration | None, reading: Reading, applications: list[str]) -> None:
    known = reading.declared("services")
    if migration is None or migration.service in applications:
        return
    line = reading.line("x-slipway", "migrate", "service")
    if migration.service not in known:
        what = f"x-slipway.migrate.service: the service {migration.service!r} is not in this file"
        reading.report(Finding(line, what, did_you_mean(migration.service, known)))
    elif native_kind(_service_node(migration.service, reading), reading):
        what = f"x-slipway.migrate.service: {migration.service} is a native service"
        reading.report(Finding(line, what, "name the application whose image has the migrations"))


def _service_node(name: str, reading: Reading) -> Node:
    services = reading.root.entries["services"] if isinstance(reading.root, MapNode) else reading.root
    return services.entries[name] if isinstance(services, MapNode) else services


def _note_unused(
    secrets: Mapping[str, SecretRef],
    applications: list[Service],
    natives: Mapping[str, NativeService],
    reading: Reading,
) -> None:
    used = {secret.source for service in applications for secret in service.secrets}
    for native in natives.values():
        refs = [native.password, *(role.password for role in native.roles)]
        used |= {ref.name for ref in refs if ref is not None}
    check_unused_secrets(secrets, used, reading)


TOP = Table(
    supported={
        "name": Key("name", _name),
        "services": Key("services", lambda node, reading: mapping(node)),
        "secrets": Key("secrets", _secrets),
        "volumes": Key("volumes", _volumes),
        "networks": Key("networks", _networks),
        "x-slipway": Key("x", lambda node, reading: STACK_EXTENSION.read(node, reading)),
    },
    refused=refused.TOP_REFUSED,
    noted=refused.TOP_NOTED,
)
