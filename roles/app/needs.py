"""What a host has to have for its part of the application."""

from __future__ import annotations

from collections.abc import Iterator

from roles.app.data import App
from roles.app.specs import fixed_publishes, services_here, slots
from slipway.compose import Service, Stack
from slipway.context import Context
from slipway.needs import MIB, Image, Memory, Needs, Packages, Port, Reach

NATIVE_PORTS = {"postgres": 5432, "redis": 6379}
"""Where the Compose file names no other."""
DOCKER_HUB = "registry-1.docker.io"


def needs(data: App, ctx: Context) -> Needs:
    """Ports and limits of its containers, images, and the databases and registries that they come to."""
    if ctx.stack is None or ctx.release is None:
        return Needs()
    here = services_here(ctx, ctx.stack)
    if not here:
        return Needs()
    images = tuple(_images(here, ctx))
    return Needs(
        ports=tuple(dict.fromkeys(port for service, count in here for port in _ports(service, count, ctx, ctx.stack))),
        packages=(Packages(("curl",), "the application", 10, 100),),
        memory=tuple(_memory(here)),
        reaches=(*_natives(ctx, ctx.stack), *_registries(images)),
        images=images,
    )


def _ports(service: Service, count: int, ctx: Context, stack: Stack) -> Iterator[Port]:
    """Both slots of every replica: the next release comes up in the other one."""
    for publish in fixed_publishes(service, ctx.host.address):
        yield Port(publish.address, publish.port, service.name, stack=stack.name, protocol=publish.protocol)
    for replica in range(1, count + 1):
        for slot in slots(service, replica, ctx.host.address):
            yield Port(slot.address, slot.port, service.name, stack=stack.name, protocol=slot.protocol)


def _memory(here: list[tuple[Service, int]]) -> Iterator[Memory]:
    for service, count in here:
        if limit := service.resources.limits.memory:
            yield Memory(count * limit // MIB, f"{count} x {service.name}" if count > 1 else service.name)


def _images(here: list[tuple[Service, int]], ctx: Context) -> Iterator[Image]:
    refs = ctx.release.images if ctx.release else {}
    found = {refs[service.name]: Image(refs[service.name], service.build is not None) for service, _ in here}
    yield from found.values()


def _natives(ctx: Context, stack: Stack) -> Iterator[Reach]:
    """Databases on hosts of the fleet, by the address that containers have of them."""
    for name, native in stack.native.items():
        members = ctx.fleet.group(native.group)
        if members and native.kind in NATIVE_PORTS and members[0].name != ctx.host.name:
            port = native.port or NATIVE_PORTS[native.kind]
            yield Reach(members[0].address, port, f"{name} ({native.kind} on {members[0].name})", members[0].name)


def _registries(images: tuple[Image, ...]) -> Iterator[Reach]:
    """Where images are pulled from."""
    for image in images:
        if not image.is_built and "@sha256:" in image.ref:
            host, _, port = registry_of(image.ref).partition(":")
            yield Reach(host, int(port or 443), "the registry of an image")


def registry_of(ref: str) -> str:
    """`host` or `host:port`, as Docker reads a reference: without a dot, a colon or localhost it is Docker Hub's."""
    first, slash, _ = ref.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host and first not in ("docker.io", "index.docker.io") else DOCKER_HUB
