"""The application on one host, and what belongs to its release elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roles.app.data import App
from roles.app.specs import secret_directory, services_here, spec_of, specs_here
from roles.app.waves import beside, waves
from slipway.compose import Edge, Service, Stack
from slipway.context import Context
from slipway.ops import containers, edges, migrations, packages, releases, secret_files
from slipway.ops import images as image_ops
from slipway.paths import project_root
from slipway.release import Origin, build_of, origin

MIGRATION_REPLICA = 0
"""What SLIPWAY_REPLICA says inside a migration: replicas count from 1."""


def images(data: App, ctx: Context) -> None:
    """Every image that this host needs is on it before anything is replaced."""
    if ctx.stack is None or ctx.release is None:
        return
    for ref, service in _images_here(ctx, ctx.stack).items():
        build = build_of(service) if service.build else None
        image_ops.present(
            name="Bring the image", stack=ctx.stack.name, ref=ref, build=build, seconds=data.image_seconds
        )


def migration(data: App, ctx: Context) -> None:
    """The schema is the one that this release needs."""
    if ctx.stack is None or ctx.release is None or ctx.stack.migration is None or ctx.is_rollback:
        return  # going back leaves the schema as it is: whether the release runs on it has been looked at before
    wanted, stack = ctx.stack.migration, ctx.stack
    service = stack.service(wanted.service)
    ref = ctx.release.images[service.name]
    build = build_of(service) if service.build else None
    image_ops.present(
        name="Bring the migration's image", stack=stack.name, ref=ref, build=build, seconds=data.image_seconds
    )
    _surroundings([service], ctx, stack)
    spec = replace(
        spec_of(service, MIGRATION_REPLICA + 1, data, ctx, stack), replica=MIGRATION_REPLICA, ports=(), serves=()
    )
    spec = replace(
        spec, argv=wanted.command, environment={**spec.environment, "SLIPWAY_REPLICA": str(MIGRATION_REPLICA)}
    )
    migrations.done(
        name="Migrate the schema",
        spec=spec,
        key=ctx.release.schema,
        seconds=wanted.timeout_seconds,
        ledger=migrations.ledger_of(stack, ctx.fleet),
        check=wanted.check or (),
    )


def tasks(data: App, ctx: Context) -> None:
    """The containers that the Compose file asks for, each proved before the one that it replaces is given up.

    A release that comes by shares stands beside the one before: only what the edges reach, and nothing is stopped.
    """
    if ctx.stack is None or ctx.release is None:
        return
    stack = ctx.stack
    packages.installed(name="Install what asks for readiness", names=["curl"])
    _surroundings([service for service, _ in services_here(ctx, stack)], ctx, stack)
    groups = waves(data, ctx, stack)
    if ctx.canary is None:
        names = [replica.spec.name for group in groups for replica in group]
        containers.only(name="Retire containers that are no longer in the stack", stack=stack.name, names=names)
    for group in groups:
        wanted = group if ctx.canary is None else beside(group)
        if wanted:
            containers.started(name="Run containers", stack=stack.name, wanted=wanted, canary=ctx.canary)
        if ctx.canary is None:
            containers.stopped(name="Stop replaced containers", stack=stack.name, wanted=wanted)


def proof(data: App, ctx: Context) -> None:
    """This edge sends requests to what runs and to nobody else; through it every site answers with this release."""
    if ctx.stack is None or ctx.release is None or not ctx.stack.web or ctx.canary is not None:
        return
    edges.admitted(
        name="Admit what runs, and nobody else", stack=ctx.stack.name, services=_reached(ctx, ctx.stack),
        release=ctx.release.id,
    )  # fmt: skip
    packages.installed(name="Install what asks the edge", names=["curl"])
    for service in ctx.stack.web:
        edge = service.edge
        for site in edge.hosts if edge else ():
            path, wanted = _question(edge, data.proof_path, ctx.release.id)
            edges.proved(
                name=f"Prove {service.name} through the edge",
                address=ctx.host.address,
                url=f"http://{site.replace('*', 'slipway-proof')}:{data.proof_port}{path}",
                wanted=wanted,
                times=_times(service, ctx),
                seconds=data.proof_seconds,
            )


def traffic(data: App, ctx: Context) -> None:
    """An edge sends requests to what runs, before any of it is replaced: an earlier rollout may have died half way."""
    if ctx.stack is not None and ctx.release is not None and ctx.stack.web:
        edges.caught_up(
            name="Catch up with what runs", stack=ctx.stack.name, services=_reached(ctx, ctx.stack),
            release=ctx.release.id,
        )  # fmt: skip


def _reached(ctx: Context, stack: Stack) -> dict[str, dict[str, str]]:
    """Service that the edges reach to the hosts that may run it, with their addresses."""
    groups = {service.name: ctx.fleet.group(service.x.group) for service in stack.web}
    return {name: {member.name: member.address for member in members} for name, members in groups.items()}


def staged(data: App, ctx: Context) -> None:
    """This host's record says which release it is about to get, and everything that it takes to run it again."""
    if told := _on_record(data, ctx):
        releases.staged(name="Stage the release", record=told, origin=_origin(ctx), way=_way(ctx))


def record(data: App, ctx: Context) -> None:
    """This host's record says which release it has; what was replaced on the way to it is gone."""
    if ctx.stack is None or ctx.canary is not None:
        return
    if services_here(ctx, ctx.stack):
        containers.seal(name="Remove replaced containers", stack=ctx.stack.name)
    if told := _on_record(data, ctx):
        keep = data.keep_releases
        releases.recorded(name="Record the release", record=told, origin=_origin(ctx), keep=keep, way=_way(ctx))


def _on_record(data: App, ctx: Context) -> dict[str, Any]:
    """What is on record of this run's release on this host; empty before it is known, and without an application."""
    if ctx.stack is None or ctx.release is None or ctx.entry is None:
        return {}
    if found := ctx.entry.found.get(ctx.host.name):
        return dict(found)
    stack, wanted = ctx.stack, specs_here(data, ctx, ctx.stack)
    directories = [secret_directory(service, ctx, stack) for service, _ in services_here(ctx, stack)]
    return {
        **ctx.entry.on(ctx.host.name),
        "images": sorted({spec.image for _, spec in wanted}),
        "containers": {spec.name: spec.digest() for _, spec in wanted},
        "secrets": sorted(each.name for each in directories if each),
    }


def _origin(ctx: Context) -> Origin:
    """Who runs it, and which commit the release came from: of one on record, the commit of then."""
    todays = origin(project_root())
    return replace(todays, commit=ctx.entry.commit) if ctx.entry and ctx.entry.found else todays


def _way(ctx: Context) -> str:
    return releases.ROLLBACK if ctx.is_rollback else releases.DEPLOY


def _images_here(ctx: Context, stack: Stack) -> dict[str, Service]:
    """Reference to one of the services that run it on this host."""
    assert ctx.release is not None  # noqa: S101 - the callers have looked
    return {ctx.release.images[service.name]: service for service, _ in services_here(ctx, stack)}


def _surroundings(services: list[Service], ctx: Context, stack: Stack) -> None:
    """What containers need to be there before they are made: the stack's network, and their secrets as files."""
    containers.network(name="Create the stack's network", stack=stack.name)
    found = [secret_directory(service, ctx, stack) for service in services]
    secret_files.present(name="Write the secrets", stack=stack.name, directories=[each for each in found if each])


def _question(edge: Edge | None, proof_path: str | None, release: str) -> tuple[str, str]:
    """The path to ask for, and the text that must be in the answer; empty where an answer below 500 is enough."""
    paths = edge.paths if edge else ("/",)
    if proof_path and "/" in paths:
        return proof_path, release
    if proof_path and edge and edge.strip_prefix:
        return f"{paths[0].rstrip('/')}{proof_path}", release
    return paths[0], ""


def _times(service: Service, ctx: Context) -> int:
    """Twice as many requests as there are replicas, so that each has been asked whatever the balancing."""
    replicas = service.replicas if service.replicas is not None else len(ctx.fleet.group(service.x.group))
    return min(max(2 * replicas, 3), 30)
