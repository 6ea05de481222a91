"""What must be true of an application's hosts after a deploy."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import Any

from roles.app.data import App
from roles.app.specs import secret_directory, services_here, specs_here
from slipway.container import ContainerSpec
from slipway.context import Context
from slipway.facts.containers import UNPROVEN
from slipway.facts.secret_files import SECRETS
from slipway.release import delivered_secret


def check_containers_are_as_specified(host: Any, data: App, ctx: Context) -> None:
    """Every container that this host should run, runs: this release, this specification, from the release's image."""
    for spec in _specs(data, ctx):
        found = _inspect(host, spec.name)
        labels = found["Config"]["Labels"]
        assert found["State"]["Status"] == "running", f"{spec.name} is {found['State']['Status']}"
        assert (labels["slipway.release"], labels["slipway.spec"]) == (spec.release, spec.digest()), spec.name
        assert found["Image"] == host.check_output("docker image inspect --format '{{.Id}}' %s", spec.image), spec.name


def check_containers_are_healthy(host: Any, data: App, ctx: Context) -> None:
    """No HEALTHCHECK complains, and none is waiting to be proved."""
    for spec in _specs(data, ctx):
        health = _inspect(host, spec.name)["State"].get("Health", {}).get("Status", "none")
        assert health != "unhealthy", spec.name
        assert not host.file(f"{UNPROVEN}/{spec.name}").exists, f"{spec.name} was never seen ready"


def check_containers_do_not_restart(host: Any, data: App, ctx: Context) -> None:
    """Restart counts stand still."""
    before = {spec.name: _inspect(host, spec.name)["RestartCount"] for spec in _specs(data, ctx)}
    time.sleep(1 if before else 0)  # a crash loop restarts several times a second at first; a second shows it
    assert before == {spec.name: _inspect(host, spec.name)["RestartCount"] for spec in _specs(data, ctx)}


def check_ports_are_private(host: Any, data: App, ctx: Context) -> None:
    """What containers publish is bound to the host's private address, or to loopback where the file says so."""
    for spec in _specs(data, ctx):
        bindings = _inspect(host, spec.name)["HostConfig"]["PortBindings"] or {}
        found = {(each["HostIp"], int(each["HostPort"])) for ports in bindings.values() for each in ports}
        taken = _placed(spec, _inspect(host, spec.name)).published
        assert found == {(port.address, port.port) for port in taken}, spec.name
        listening = host.check_output("ss --no-header --listening --numeric --tcp --udp")
        for port in taken:
            assert not re.search(rf"(0\.0\.0\.0|\*|\[::\]):{port.port}\s", listening), f"{port.port} is open to all"


def check_readiness(host: Any, data: App, ctx: Context) -> None:
    """Each replica that tells its readiness over HTTP at a port of the host is ready, asked on the host itself."""
    for spec in _specs(data, ctx):
        probe = _placed(spec, _inspect(host, spec.name)).placed_probe
        if probe.path and probe.address:
            url = f"http://{probe.address}:{probe.port}{probe.path}"
            code = host.check_output("curl -s -o /dev/null -m 10 -w '%%{http_code}' --noproxy '*' %s", url)
            assert code == "200", f"{spec.name}: GET {probe.path}: {code}"


def _placed(spec: ContainerSpec, found: dict[str, Any]) -> ContainerSpec:
    """The specification in the slot that the container has."""
    peer = found["Config"]["Labels"]["slipway.peer"]
    slots = [replace(spec, slot=slot) for slot in range(len(spec.serves))]
    return next((each for each in slots if each.peer == peer), spec)


def check_secrets_stay_in_their_files(host: Any, data: App, ctx: Context) -> None:
    """No secret shows in `docker inspect`; the directory that holds them is root's alone, each file its service's."""
    if ctx.stack is None:
        return
    for service, _ in services_here(ctx, ctx.stack):
        directory = secret_directory(service, ctx, ctx.stack)
        if directory is None:
            continue
        closed = host.file(SECRETS)
        assert (closed.user, closed.mode) == ("root", 0o700)
        for each in directory.files:
            assert host.file(f"{directory.path()}/{each.path}").mode == each.mode, each.path
    values = [delivered_secret(ref, ctx.secrets).reveal() for ref in ctx.stack.secrets.values()]
    told = [json.dumps(_inspect(host, spec.name)) for spec in _specs(data, ctx)]
    # Not `assert value not in text`: a failing assertion would print the secret.
    assert not any(value in text for value in values for text in told), "a secret shows in docker inspect"


def check_nothing_else_runs(host: Any, data: App, ctx: Context) -> None:
    """Of this stack there are no other containers, stopped ones included."""
    if ctx.stack is None or not _specs(data, ctx):
        return
    found = host.check_output(
        "docker ps --all --filter %s --format '{{.Names}}'", f"label=slipway.stack={ctx.stack.name}"
    )
    assert sorted(found.split()) == sorted(spec.name for spec in _specs(data, ctx))


def _specs(data: App, ctx: Context) -> list[ContainerSpec]:
    if ctx.stack is None or ctx.release is None:
        return []
    return [spec for _, spec in specs_here(data, ctx, ctx.stack)]


def _inspect(host: Any, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(host.check_output("docker container inspect %s", name))
    return found[0]
