"""From the Compose file to the containers of one host. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from roles.app.data import App
from slipway.compose import REPLICAS_ON_A_HOST, SLOTS, Port, Service, ServiceSecret, Stack, host_port
from slipway.container import ContainerSpec, HealthCommand, Limits, Mount, Probe, Publish
from slipway.context import Context
from slipway.ops.files import content_hash
from slipway.ops.secret_files import SecretDirectory, SecretFile
from slipway.problems import Problems
from slipway.release import container_secret, environment_of
from slipway.spread import replicas_on

RUN_SECRETS = PurePosixPath("/run/secrets")
_LOOPBACK = ("127.", "::1")


def services_here(ctx: Context, stack: Stack) -> list[tuple[Service, int]]:
    """The services that this host runs, in the order in which they start, and how many replicas of each.

    Raises BadInput where the host's ports cannot carry them.
    """
    problems = Problems()
    found = []
    for service in stack.services:
        members = ctx.fleet.group(service.x.group)
        count = replicas_on(service, members).get(ctx.host.name, 0)
        _check_count(service, count, len(members), problems)
        found += [(service, count)] if count else []
    problems.raise_if_any()
    return found


def _check_count(service: Service, count: int, hosts: int, problems: Problems) -> None:
    where, hint = (
        f"stack {service.stack}: {service.name}",
        f"lower deploy.replicas, or add hosts to {service.x.group!r}",
    )
    most = service.placement.max_replicas_per_node
    if most is not None and count > most:
        problems.add(where, f"{service.replicas} replicas on {hosts} hosts, at most {most} on each", hint)
    if service.edge is not None and count > REPLICAS_ON_A_HOST:
        problems.add(where, f"{count} replicas on one host; its ports are for {REPLICAS_ON_A_HOST}", hint)
    fixed = next((port.published for port in fixed_ports(service)), None)
    if fixed and count > 1:
        problems.add(where, f"{count} replicas on one host, and all of them want its port {fixed}", hint)


def specs_here(data: App, ctx: Context, stack: Stack) -> list[tuple[Service, ContainerSpec]]:
    """Every container that this host runs, in the order in which they start."""
    return [
        (service, spec_of(service, replica, data, ctx, stack))
        for service, count in services_here(ctx, stack)
        for replica in range(1, count + 1)
    ]


def spec_of(service: Service, replica: int, data: App, ctx: Context, stack: Stack) -> ContainerSpec:
    """One container of a service on this host, in full."""
    release = ctx.release
    if release is None:
        raise ValueError("there is no release to make a container of")
    limits, logging = service.resources.limits, service.logging
    return ContainerSpec(
        stack=stack.name, service=service.name, replica=replica, release=release.id,
        image=release.images[service.name], network=stack.name,
        argv=service.command, entrypoint=service.entrypoint,
        environment=environment_of(service, ctx, replica),
        ports=tuple(fixed_publishes(service, ctx.host.address)),
        serves=tuple(slots(service, replica, ctx.host.address)), probe=probe_of(service, ctx),
        mounts=(*_volumes(service, stack), *_secret_mounts(service, ctx, stack)),
        tmpfs=service.tmpfs, extra_hosts=extra_hosts(service, ctx, stack),
        dns=service.dns, dns_search=service.dns_search, hostname=service.hostname,
        user=service.user, group_add=service.group_add, workdir=service.working_dir,
        limits=Limits(limits.cpus, limits.memory, data.pids_limit if limits.pids is None else limits.pids),
        memory_reservation=service.resources.reservations.memory, shm_size=service.shm_size,
        restart=_restart(service), health=_health(service),
        stop_signal=service.stop_signal, stop_timeout=service.stop_grace_period,
        read_only=service.read_only, init=service.init, cap_add=service.cap_add, cap_drop=service.cap_drop,
        security_opt=_security(service, data), sysctls=service.sysctls,
        ulimits={name: f"{limit.soft}:{limit.hard}" for name, limit in service.ulimits.items()},
        log_driver=logging.driver if logging else data.log_driver,
        log_options=logging.options if logging else data.log_options,
        labels=service.labels,
    )  # fmt: skip


def probe_of(service: Service, ctx: Context) -> Probe:
    """How a replica shows on its host that it serves. Where it is the edge's port, that is the slot's to say.

    One that has served before is not watched once more on the way back: it is ready or not.
    """
    ready, monitor = service.x.ready, 0 if ctx.is_rollback else service.update.monitor
    if ready is None:
        return Probe(monitor=monitor)
    fixed = next((port for port in fixed_publishes(service, ctx.host.address) if port.target == ready.port), None)
    return Probe(
        ready.path, fixed.port if fixed else ready.port, fixed.address if fixed else "",
        host=_plain_name(service), deadline=ready.timeout_seconds, monitor=monitor,
    )  # fmt: skip


def _plain_name(service: Service) -> str:
    """A server name of the service, for applications that refuse requests to an address."""
    names = service.edge.hosts if service.edge else ()
    return next((name for name in names if not name.startswith("*")), "")


def fixed_ports(service: Service) -> list[Port]:
    """Ports that the file publishes and the edge does not manage."""
    edge = service.edge
    return [
        port
        for port in service.ports
        if port.published and not (edge and port.target == edge.port and port.protocol == "tcp")
    ]


def slots(service: Service, replica: int, address: str) -> Iterator[Publish]:
    """Where the edges may reach a replica: on the host's private address, a port for each slot."""
    if service.edge is not None:
        for slot in range(SLOTS):
            yield Publish(address, host_port(service, replica - 1, slot), service.edge.port)


def fixed_publishes(service: Service, address: str) -> Iterator[Publish]:
    """Ports on the host's private address, or on loopback where the file says so; never on another address."""
    for port in fixed_ports(service):
        own = port.host_ip if port.host_ip and port.host_ip.startswith(_LOOPBACK) else address
        yield Publish(own, port.published or 0, port.target, port.protocol)


def extra_hosts(service: Service, ctx: Context, stack: Stack) -> dict[str, str]:
    """Native services by the names that the file gives them, and their hosts by name.

    Not the whole fleet: a host that joins must not replace every container.
    """
    found: dict[str, str] = {}
    for name, native in stack.native.items():
        members = ctx.fleet.group(native.group)
        if members and native.kind != "nginx":
            found |= {member.name: member.address for member in members} | {name: members[0].address}
    return found | service.extra_hosts


def secret_directory(service: Service, ctx: Context, stack: Stack) -> SecretDirectory | None:
    """The secrets of a service as files; their versions are in the directory's name. None where it has none."""
    if not service.secrets:
        return None
    uid, gid = _numeric_user(service.user)
    files = [
        SecretFile(_path_of(number, each), container_secret(each.source, ctx), *_guard(each, uid, gid))
        for number, each in enumerate(service.secrets)
    ]
    version = content_hash(*((each.path, each.content.fingerprint(), each.mode, each.uid, each.gid) for each in files))
    return SecretDirectory(f"{stack.name}-{service.name}-{version}", tuple(files))


def _path_of(number: int, secret: ServiceSecret) -> str:
    """Below the directory: what goes to /run/secrets together, everything else by number."""
    target = PurePosixPath(secret.target)
    return f"run/{target.relative_to(RUN_SECRETS)}" if target.is_relative_to(RUN_SECRETS) else f"files/{number}"


def _guard(secret: ServiceSecret, uid: int | None, gid: int | None) -> tuple[int, int, int]:
    """Mode, owner and group: the service's own user alone where it is known, else what the file says.

    The directory above is closed to everybody else on the host either way.
    """
    owner = uid if secret.uid is None else secret.uid
    mode = 0o400 if owner is not None and secret.mode == 0o444 else secret.mode
    return mode, owner or 0, secret.gid if secret.gid is not None else (gid or 0)


def _numeric_user(user: str | None) -> tuple[int | None, int | None]:
    """User and group id as far as they are numbers: a name means something in the image only."""
    name, _, group = (user or "").partition(":")
    return (int(name) if name.isdecimal() else None), (int(group) if group.isdecimal() else None)


def _secret_mounts(service: Service, ctx: Context, stack: Stack) -> Iterator[Mount]:
    directory = secret_directory(service, ctx, stack)
    if directory is None:
        return
    if any(each.path.startswith("run/") for each in directory.files):
        yield Mount("bind", str(RUN_SECRETS), f"{directory.path()}/run", read_only=True)
    for each, secret in zip(directory.files, service.secrets, strict=True):
        if each.path.startswith("files/"):
            yield Mount("bind", secret.target, f"{directory.path()}/{each.path}", read_only=True)


def _volumes(service: Service, stack: Stack) -> Iterator[Mount]:
    for each in service.volumes:
        source = stack.volumes[each.source or ""] if each.type == "volume" else (each.source or "")
        yield Mount(each.type, each.target, source, each.read_only, each.size)


def _restart(service: Service) -> str:
    """`always` becomes unless-stopped: after an engine's restart it would bring back what a rollout has stopped."""
    policy = "unless-stopped" if service.restart == "always" else service.restart
    return f"{policy}:{service.restart_attempts}" if service.restart_attempts else policy


def _health(service: Service) -> HealthCommand | None:
    check = service.healthcheck
    if check is None:
        return None
    # The docker command has the shell form only; words are quoted for it, so they arrive as they are written.
    command = " ".join(check.test or ()) if check.shell else shlex.join(check.test or ())
    return HealthCommand(command, check.interval, check.timeout, check.start_period, check.retries, check.disabled)


def _security(service: Service, data: App) -> tuple[str, ...]:
    said = any(option.startswith("no-new-privileges") for option in service.security_opt)
    return (
        service.security_opt
        if said or not data.no_new_privileges
        else ("no-new-privileges:true", *service.security_opt)
    )
