"""What must hold between the services of one stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from slipway.compose.host_ports import PORTS_OF_A_SERVICE, REPLICAS_ON_A_HOST, base_port
from slipway.compose.model import Service
from slipway.compose.mounts import DOCKER_SOCKET
from slipway.compose.nodes import Finding
from slipway.compose.parts import SecretRef
from slipway.compose.reading import Reading
from slipway.problems import nearest


def check_services(services: Sequence[Service], reading: Reading) -> None:
    """Writes down what is wrong within each service and between them."""
    for service in services:
        for what, hint, path in _alone(service):
            _report(service, what, hint, path, reading)
        _note_drain(service, reading)
        _check_volumes(service, reading)
        _check_secrets(service, reading)
    _check_routes(services, reading)
    _check_ports(services, reading)


def _report(service: Service, what: str, hint: str, path: tuple[str, ...], reading: Reading) -> None:
    line = reading.line("services", service.name, *path)
    reading.report(Finding(line, f"services.{service.name}: {what}", hint))


Complaint = tuple[str, str, tuple[str, ...]]


def _alone(service: Service) -> Iterator[Complaint]:
    yield from _singleton(service)
    yield from _start_first(service)
    yield from _stopping(service)
    yield from _edge(service)
    yield from _replicas(service)
    if service.x.extensions:
        what = "x-slipway.extensions of a service that is not a native Postgres"
        yield what, "remove it, or move it to the Postgres service", ("x-slipway", "extensions")


def _singleton(service: Service) -> Iterator[Complaint]:
    if not service.x.singleton:
        return
    at = ("x-slipway", "singleton")
    if service.mode == "global":
        yield "a singleton with mode global would run on every host", "remove `deploy.mode`", at
    elif service.replicas != 1:
        yield f"a singleton with {service.replicas} replicas", "set deploy.replicas to 1, or remove `singleton`", at
    for key, config in (("update_config", service.update), ("rollback_config", service.rollback)):
        if config.order == "start-first":
            yield "a singleton with start-first would run twice", "write order: stop-first", ("deploy", key, "order")


def _start_first(service: Service) -> Iterator[Complaint]:
    fixed = _fixed_ports(service)
    for key, config in (("update_config", service.update), ("rollback_config", service.rollback)):
        if fixed and config.order == "start-first":
            what = f"start-first with the fixed port {fixed[0]}: two containers cannot hold it"
            yield (
                what,
                "write order: stop-first, or let the edge manage the port: x-slipway.edge",
                ("deploy", key, "order"),
            )


def _fixed_ports(service: Service) -> list[int]:
    """Ports of the host that only one container can hold."""
    return [port.published for port in service.ports if port.published and not _is_edge_port(service, port.target)]


def _is_edge_port(service: Service, target: int) -> bool:
    return service.x.edge is not None and service.x.edge.port == target


def _stopping(service: Service) -> Iterator[Complaint]:
    timeout = service.x.timeout_seconds
    if timeout is not None and service.stop_grace_period < timeout:
        grace = f"stop_grace_period is {service.stop_grace_period:g} s"
        what = f"{grace}, the application's own time-out {timeout:g} s: it would be killed at work"
        yield what, f"set stop_grace_period to {timeout:g}s or more", ("stop_grace_period",)


def _note_drain(service: Service, reading: Reading) -> None:
    """Not an error: what outlives the drain still has the stop grace, which is long enough."""
    timeout, drain = service.x.timeout_seconds, service.x.drain_seconds
    if service.x.edge is not None and timeout is not None and drain < timeout:
        what = f"drain_seconds is {drain:g} s, the application's own time-out {timeout:g} s: a request that is still"
        line = reading.line("services", service.name, "x-slipway", "drain_seconds")
        reading.note(line, f"services.{service.name}: {what} under way then has only stop_grace_period to finish")


def _edge(service: Service) -> Iterator[Complaint]:
    edge = service.x.edge
    if edge is None and service.x.published_base is not None:
        yield (
            "x-slipway.published_base without x-slipway.edge",
            "publish fixed ports under `ports`",
            ("x-slipway", "published_base"),
        )
    offered = sorted({port.target for port in (*service.ports, *service.expose)})
    if edge is not None and offered and edge.port not in offered:
        what = f"x-slipway.edge.port {edge.port} is none of the ports it offers ({', '.join(map(str, offered))})"
        yield what, "name the port of the container", ("x-slipway", "edge", "port")


def _replicas(service: Service) -> Iterator[Complaint]:
    most = service.placement.max_replicas_per_node
    if service.x.edge is not None and most is not None and most > REPLICAS_ON_A_HOST:
        what = f"max_replicas_per_node is {most}; the edge reaches at most {REPLICAS_ON_A_HOST} replicas on one host"
        yield what, "spread them over more hosts", ("deploy", "placement", "max_replicas_per_node")
    fixed = _fixed_ports(service)
    if fixed and most is not None and most > 1:
        what = f"several replicas on one host with the fixed port {fixed[0]}"
        yield what, "set max_replicas_per_node to 1", ("deploy", "placement", "max_replicas_per_node")


def _check_volumes(service: Service, reading: Reading) -> None:
    declared = reading.declared("volumes")
    for mount in service.volumes:
        if mount.source in DOCKER_SOCKET and not service.x.allow_docker_socket:
            hint = "where it must run containers, write x-slipway.allow_docker_socket: true"
            _report(service, "the Docker socket is root on the host", hint, ("volumes",), reading)
        if mount.type == "volume" and mount.source not in declared:
            what = f"the volume {mount.source!r} is not declared"
            _report(service, what, _add("volumes", str(mount.source), declared), ("volumes",), reading)
        elif mount.type == "volume" and (service.replicas or 2) > 1:
            what = f"the volume {mount.source} is each host's own; replicas elsewhere do not see it"
            reading.note(reading.line("services", service.name, "volumes"), f"services.{service.name}: {what}")


def _add(section: str, name: str, declared: tuple[str, ...]) -> str:
    close = nearest(name, declared)
    return f"did you mean {close!r}?" if close else f"add `{name}:` under the top-level `{section}:`"


def _check_secrets(service: Service, reading: Reading) -> None:
    declared = reading.declared("secrets")
    for secret in service.secrets:
        if secret.source not in declared:
            what = f"the secret {secret.source!r} is not declared"
            _report(service, what, _add("secrets", secret.source, declared), ("secrets",), reading)


def _check_routes(services: Sequence[Service], reading: Reading) -> None:
    owners: dict[tuple[str, str], Service] = {}
    for service in services:
        edge = service.x.edge
        for route in [(host.lower(), path) for host in edge.hosts for path in edge.paths] if edge else []:
            other = owners.setdefault(route, service)
            if other is not service:
                what = f"{route[0]}{route[1]} is already the route of {other.name}"
                _report(service, what, "give each service its own paths", ("x-slipway", "edge"), reading)


def _check_ports(services: Sequence[Service], reading: Reading) -> None:
    """Edge-managed services own ten ports each on every host; fixed ones collide within a group."""
    taken: list[Claim] = []
    for service in services:
        for claim in _claims(service):
            other = next((each for each in taken if _collide(each, claim)), None)
            if other is not None:
                what = f"{_named(claim.ports)} of the host: {other.service.name} has {_named(other.ports)}"
                _report(service, what, claim.hint, (claim.key,), reading)
            taken.append(claim)


@dataclass(frozen=True)
class Claim:
    """Ports of the host that a service takes."""

    service: Service
    ports: range
    protocol: str
    key: str
    hint: str


def _claims(service: Service) -> Iterator[Claim]:
    if service.x.edge is not None:
        base = base_port(service)
        hint = "set x-slipway.published_base to the first of ten free ports"
        yield Claim(service, range(base, base + PORTS_OF_A_SERVICE), "tcp", "x-slipway", hint)
    for port in service.ports:
        if port.published and not (_is_edge_port(service, port.target) and port.protocol == "tcp"):
            one = range(port.published, port.published + 1)
            yield Claim(service, one, port.protocol, "ports", "publish another port")


def _collide(one: Claim, other: Claim) -> bool:
    overlap = one.ports.start < other.ports.stop and other.ports.start < one.ports.stop
    both_edge = one.service.x.edge is not None and other.service.x.edge is not None
    same_host = both_edge or one.service.x.group == other.service.x.group
    return overlap and same_host and one.protocol == other.protocol


def _named(ports: range) -> str:
    return f"port {ports.start}" if len(ports) == 1 else f"ports {ports.start}-{ports.stop - 1}"


def check_canary(services: Sequence[Service], others_unread: bool, reading: Reading) -> None:
    """Writes down what keeps a new release of these services from standing beside the old one behind the edge.

    A service that could not be read may well have an edge, so where there are `others_unread` none is missed.
    """
    behind = [service for service in services if service.x.edge is not None]
    if not behind and not others_unread:
        what = "x-slipway.canary: no service of this file has an edge, so nothing shares sessions out"
        line = reading.line("x-slipway", "canary")
        reading.report(Finding(line, what, "remove it, or give a service x-slipway.edge"))
    for service in behind:
        fixed = _fixed_ports(service)
        if service.x.singleton:
            what = "a singleton with an edge, and x-slipway.canary would run it twice"
            _report(service, what, "remove `canary`, or `singleton`", ("x-slipway", "singleton"), reading)
        elif fixed:
            what = f"the fixed port {fixed[0]}, and x-slipway.canary: two containers cannot hold it"
            _report(service, what, "remove `canary`, or the port", ("ports",), reading)


def check_unused_secrets(secrets: Mapping[str, SecretRef], used: set[str], reading: Reading) -> None:
    """A declared secret that no service reads is worth a note."""
    for name in secrets:
        if name not in used:
            reading.note(reading.line("secrets", name), f"secrets.{name}: no service reads it")


def in_dependency_order(services: Sequence[Service], reading: Reading) -> tuple[Service, ...]:
    """Each service after those it depends on, otherwise as in the file. A cycle is written down."""
    waiting, placed = list(services), dict[str, Service]()
    names = {service.name for service in services}
    while waiting:
        ready = next((each for each in waiting if all(on in placed for on in each.depends_on if on in names)), None)
        if ready is None:
            _report_cycle(waiting, reading)
            return tuple(services)
        placed[ready.name] = ready
        waiting.remove(ready)
    return tuple(placed.values())


def _report_cycle(waiting: Sequence[Service], reading: Reading) -> None:
    by_name = {service.name: service for service in waiting}
    walk = [waiting[0].name]
    while walk[-1] not in walk[:-1]:
        walk.append(next(on for on in by_name[walk[-1]].depends_on if on in by_name))
    cycle = walk[walk.index(walk[-1]) :]
    what = f"depends on itself: {' -> '.join(cycle)}"
    _report(by_name[cycle[0]], what, "take one of these dependencies away", ("depends_on",), reading)
