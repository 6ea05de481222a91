"""The application on one host, and what belongs to its release elsewhere."""

from __future__ import annotations

from dataclasses import replace

from roles.app.data import App
from roles.app.specs import probe_of, secret_directory, services_here, spec_of, specs_here
from slipway.compose import Edge, Service, Stack
from slipway.context import Context
from slipway.ops import containers, edges, migrations, packages, releases, secret_files
from slipway.ops import images as image_ops
from slipway.ops.files import content_hash
from slipway.paths import project_root
from slipway.release import build_of, origin

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
    if ctx.stack is None or ctx.release is None or ctx.stack.migration is None:
        return
    wanted, stack = ctx.stack.migration, ctx.stack
    service = stack.service(wanted.service)
    ref = ctx.release.images[service.name]
    build = build_of(service) if service.build else None
    image_ops.present(
        name="Bring the migration's image", stack=stack.name, ref=ref, build=build, seconds=data.image_seconds
    )
    _surroundings([service], ctx, stack)
    spec = replace(spec_of(service, MIGRATION_REPLICA + 1, data, ctx, stack), replica=MIGRATION_REPLICA, ports=())
    spec = replace(
        spec, argv=wanted.command, environment={**spec.environment, "SLIPWAY_REPLICA": str(MIGRATION_REPLICA)}
    )
    migrations.done(
        name="Migrate the schema",
        spec=spec,
        key=ctx.release.schema,
        seconds=wanted.timeout_seconds,
        ledger=_ledger(ctx, stack),
        check=wanted.check or (),
    )


def tasks(data: App, ctx: Context) -> None:
    """The containers that the Compose file asks for, each proved before the one that it replaces is given up."""
    if ctx.stack is None or ctx.release is None:
        return
    stack, wanted = ctx.stack, specs_here(data, ctx, ctx.stack)
    packages.installed(name="Install what asks for readiness", names=["curl"])
    _surroundings([service for service, _ in services_here(ctx, stack)], ctx, stack)
    containers.only(
        name="Retire containers that are no longer in the stack", stack=stack.name, names=[s.name for _, s in wanted]
    )
    for service, spec in wanted:
        others = [member.name for member in ctx.fleet if member.name != ctx.host.name] if service.x.singleton else []
        containers.running(
            name=f"Run {service.name}", spec=spec, probe=probe_of(service, spec.replica, ctx), singleton_of=others
        )
    containers.seal(name="Remove replaced containers", stack=stack.name)


def proof(data: App, ctx: Context) -> None:
    """Through this edge, every site answers with this release."""
    if ctx.stack is None or ctx.release is None or not ctx.stack.web:
        return
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


def record(data: App, ctx: Context) -> None:
    """This host's record says which release it has."""
    if ctx.stack is None or ctx.release is None:
        return
    stack, release = ctx.stack, ctx.release
    wanted = specs_here(data, ctx, stack)
    directories = [secret_directory(service, ctx, stack) for service, _ in services_here(ctx, stack)]
    told = {
        "id": release.id,
        "stack": stack.name,
        "images": sorted({spec.image for _, spec in wanted}),
        "services": dict(release.services),
        "containers": {spec.name: spec.digest() for _, spec in wanted},
        "secrets": sorted(each.name for each in directories if each),
        "schema": release.schema,
        "config": content_hash(stack.model_dump_json(exclude={"directory"})),
    }
    releases.recorded(name="Record the release", record=told, origin=origin(project_root()), keep=data.keep_releases)


def _images_here(ctx: Context, stack: Stack) -> dict[str, Service]:
    """Reference to one of the services that run it on this host."""
    assert ctx.release is not None  # noqa: S101 - the callers have looked
    return {ctx.release.images[service.name]: service for service, _ in services_here(ctx, stack)}


def _surroundings(services: list[Service], ctx: Context, stack: Stack) -> None:
    """What containers need to be there before they are made: the stack's network, and their secrets as files."""
    containers.network(name="Create the stack's network", stack=stack.name)
    found = [secret_directory(service, ctx, stack) for service in services]
    secret_files.present(name="Write the secrets", stack=stack.name, directories=[each for each in found if each])


def _ledger(ctx: Context, stack: Stack) -> migrations.Database | None:
    for native in stack.native.values():
        members = ctx.fleet.group(native.group)
        if native.kind == "postgres" and native.databases and members:
            return migrations.Database(members[0].name, native.databases[0].name, native.port or 5432)
    return None


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
