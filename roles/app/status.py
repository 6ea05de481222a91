"""What of the application runs on a host, for `slipway status`."""

from __future__ import annotations

from roles.app.data import App
from roles.app.specs import specs_here
from slipway.context import Context
from slipway.facts.containers import DockerFact, DockerState
from slipway.remote import Remote
from slipway.role import Service


def status(remote: Remote, data: App, ctx: Context) -> list[Service]:
    """Every container that should be here, and every one of the stack that should not."""
    if ctx.stack is None or ctx.release is None:
        return []
    found: DockerState = remote.fact(DockerFact, stack=ctx.stack.name)
    wanted = [spec.name for _, spec in specs_here(data, ctx, ctx.stack)]
    strangers = sorted(name for name in found.containers if name not in wanted)
    return [_service(name, found) for name in wanted] + [_stranger(name, found) for name in strangers]


def _service(name: str, found: DockerState) -> Service:
    container = found.containers.get(name)
    if container is None:
        return Service(name, "absent", False)
    state = container.health or container.status
    if container.is_crash_looping:
        return Service(name, f"crash-looping, {container.restarts} restarts", False, container.release)
    restarts = f", {container.restarts} restarts" if container.restarts else ""
    # One that has just started is asked by Docker after its first interval; until then nothing speaks against it.
    well = ("", "healthy") if container.restarts else ("", "healthy", "starting")
    is_well = container.status == "running" and container.health in well
    return Service(name, f"{state}{restarts}", is_well, container.release)


def _stranger(name: str, found: DockerState) -> Service:
    container = found.containers[name]
    if container.is_previous:
        # Kept until the release that replaced it has been proved; it runs on only while two share the sessions.
        state = "shares the sessions" if container.status == "running" else "kept for the way back"
        return Service(name, state, True, container.release)
    return Service(name, f"{container.status}, not in the stack", False, container.release)
