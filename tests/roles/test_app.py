"""The application role without hosts: from a Compose file to containers, secrets, policy and proof."""

from __future__ import annotations

import dataclasses
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import roles.app
from roles.app.data import App
from roles.app.specs import secret_directory, services_here, specs_here
from roles.app.tasks import _question, _times
from slipway.compose import Edge, Stack, load
from slipway.container import ContainerSpec, Limits, Mount, Publish
from slipway.context import Context
from slipway.facts.containers import DockerFact, DockerState, Found, familiar, found_container
from slipway.facts.files import script
from slipway.facts.releases import ReleaseRecords
from slipway.facts.secret_files import SecretFilesFact, digest
from slipway.fleet import Fleet, Member
from slipway.ops.containers import _what_differs
from slipway.ops.releases import _outdated
from slipway.ops.secret_files import SecretDirectory, SecretFile
from slipway.problems import BadInput
from slipway.release import release_of
from slipway.secrets import Secret, Secrets

IMAGE = "registry.test/shop@sha256:" + "0" * 64
COMPOSE = f"""\
name: shop
services:
  web:
    image: {IMAGE}
    command: [serve, --loud]
    environment: {{LEVEL: INFO}}
    user: "1000:1001"
    restart: always
    stop_grace_period: 25s
    secrets: [key, {{source: key, target: /etc/shop/key, mode: 0440, uid: "7"}}]
    volumes: ["data:/data", "/srv/plugins:/plugins:ro"]
    healthcheck: {{test: [CMD, check, "two words"], interval: 5s}}
    expose: ["8000", "8001"]
    ports: ["127.0.0.1:9000:9000", "9001:9001/udp"]
    deploy:
      replicas: REPLICAS
      update_config: {{parallelism: 0, delay: 3s, monitor: 7s}}
      resources: {{limits: {{cpus: "0.5", memory: 64M}}}}
    x-slipway:
      drain_seconds: 12
      edge: {{hosts: ["*.shop.test", shop.test], port: 8000}}
      ready: {{path: /ready, timeout_seconds: 33}}
  clock:
    image: {IMAGE}
    deploy: {{replicas: 1, update_config: {{parallelism: 2, delay: 1s}}}}
    x-slipway: {{singleton: true}}
  db:
    image: postgres:17
    environment: {{POSTGRES_DB: shop, POSTGRES_USER: shop, POSTGRES_PASSWORD_FILE: /run/secrets/key}}
    secrets: [key]
volumes: {{data: {{}}}}
secrets: {{key: {{external: true}}}}
"""
FLEET = Fleet(
    "test",
    (
        Member("web1", "10.0.0.1", ("workers",)),
        Member("web2", "10.0.0.2", ("workers",)),
        Member("db1", "10.0.0.3", ("postgres",)),
    ),
)


def context(tmp_path: Path, host: str = "web1", replicas: int = 2, **replace: str) -> Context:
    text = COMPOSE.replace("REPLICAS", str(replicas))
    for old, new in replace.items():
        text = text.replace(old, new)
    (tmp_path / "compose.yaml").write_text(text)
    stack = load(tmp_path / "compose.yaml", variables={})
    secrets = Secrets("test", lambda name: "value of " + name)
    return Context(FLEET.member(host), FLEET, secrets, stack, release_of(stack, FLEET, secrets))


def stack_of(ctx: Context) -> Stack:
    assert ctx.stack is not None
    return ctx.stack


def web(ctx: Context, data: App | None = None) -> ContainerSpec:
    return specs_here(data or App(), ctx, stack_of(ctx))[0][1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("web1", ["shop-web-1", "shop-clock-1"]), ("web2", ["shop-web-1"]), ("db1", [])],
)
def test_replicas_spread_over_the_hosts_of_the_group(tmp_path: Path, host: str, expected: list[str]) -> None:
    """Evenly, the first host as written takes the odd one, and a host of another group runs nothing."""
    ctx = context(tmp_path, host)
    assert [spec.name for _, spec in specs_here(App(), ctx, stack_of(ctx))] == expected


def test_ports_are_bound_to_the_private_address_or_to_loopback(tmp_path: Path) -> None:
    """What the edge reaches, and what the file publishes: never on another address of the host."""
    spec = web(context(tmp_path))
    port = spec.serves[0].port
    assert spec.serves == (Publish("10.0.0.1", port, 8000), Publish("10.0.0.1", port + 5, 8000))
    assert spec.ports == (
        Publish("127.0.0.1", 9000, 9000),
        Publish("10.0.0.1", 9001, 9001, "udp"),
    )


def test_two_replicas_of_a_fixed_port_on_one_host_are_refused(tmp_path: Path) -> None:
    """The refusal says which port, and what to do."""
    ctx = context(tmp_path, replicas=3)
    with pytest.raises(BadInput, match="2 replicas on one host, and all of them want its port 9000"):
        services_here(ctx, stack_of(ctx))


def test_more_replicas_than_a_host_has_ports_for_are_refused(tmp_path: Path) -> None:
    """Ten ports of a host belong to a service, five of them to its replicas."""
    ctx = context(tmp_path, replicas=12)
    with pytest.raises(BadInput, match="6 replicas on one host; its ports are for 5"):
        services_here(ctx, stack_of(ctx))


def test_native_services_are_found_by_the_names_of_the_file(tmp_path: Path) -> None:
    """`db` is the Postgres host; other hosts of the fleet are left out, so that a new one replaces no container."""
    assert web(context(tmp_path)).extra_hosts == {"db": "10.0.0.3", "db1": "10.0.0.3"}


def test_the_file_becomes_the_specification(tmp_path: Path) -> None:
    """Each part of the service stands where Docker wants it."""
    spec = web(context(tmp_path))
    assert (spec.argv, spec.user, spec.stop_timeout) == (("serve", "--loud"), "1000:1001", 25)
    assert spec.limits == Limits(0.5, 64 << 20, 4096)
    assert spec.health is not None and spec.health.command == "check 'two words'"
    assert spec.security_opt == ("no-new-privileges:true",)
    assert Mount("volume", "/data", "shop_data") in spec.mounts
    assert Mount("bind", "/plugins", "/srv/plugins", read_only=True) in spec.mounts


def test_a_container_that_a_rollout_stopped_does_not_come_back_with_the_engine(tmp_path: Path) -> None:
    """`restart: always` would: Docker restarts such a container with itself, even one that was stopped."""
    assert web(context(tmp_path)).restart == "unless-stopped"


def test_secrets_are_files_of_the_service_s_own_user(tmp_path: Path) -> None:
    """Mode, owner and place of each; the version is in the directory's name and so in the specification."""
    ctx = context(tmp_path)
    directory = secret_directory(stack_of(ctx).service("web"), ctx, stack_of(ctx))
    assert directory is not None
    told = [(each.path, f"{each.mode:o}", each.uid, each.gid) for each in directory.files]
    assert told == [("run/key", "400", 1000, 1001), ("files/1", "440", 7, 1001)]
    mounts = [mount for mount in web(ctx).mounts if mount.source.startswith("/var/lib/slipway/secrets/")]
    assert [(mount.target, mount.read_only) for mount in mounts] == [("/run/secrets", True), ("/etc/shop/key", True)]
    assert mounts[0].source == f"/var/lib/slipway/secrets/{directory.name}/run"


def test_a_changed_secret_changes_the_container(tmp_path: Path) -> None:
    """Its new version is another directory, so the container is replaced."""
    ctx = context(tmp_path)
    other = dataclasses.replace(ctx, secrets=Secrets("test", lambda name: "another value"))
    assert web(ctx).digest() != web(other).digest()


def test_no_secret_is_in_the_words_of_docker(tmp_path: Path) -> None:
    """Neither arguments nor environment nor labels have it; a unique value stands for every secret."""
    ctx = context(tmp_path)
    specs = [spec for _, spec in specs_here(App(), ctx, stack_of(ctx))]
    assert not [spec for spec in specs if "value of key" in repr(spec) + " ".join(spec.create_words())]


def test_readiness_is_asked_at_the_published_port(tmp_path: Path) -> None:
    """With the site's name, so that an application which checks it answers."""
    ctx = context(tmp_path)
    probe = web(ctx).placed_probe
    assert (probe.path, probe.address, probe.port) == ("/ready", "10.0.0.1", web(ctx).serves[0].port)
    assert (probe.host, probe.deadline, probe.monitor) == ("shop.test", 33, 7)


def test_readiness_at_another_port_is_asked_at_the_container(tmp_path: Path) -> None:
    """A port that is not published is reached at the container's own address."""
    ctx = context(tmp_path, **{"path: /ready": "path: /ready, port: 8001"})
    probe = web(ctx).placed_probe
    assert (probe.address, probe.port) == ("", 8001)


def test_the_policy_is_that_of_the_most_careful_service(tmp_path: Path) -> None:
    """Smallest batch and longest pause; 0 at a time is all of them. A way back is not paused."""
    ctx = context(tmp_path)
    policy = roles.app.rolling.policy(ctx)
    assert (policy.parallelism, policy.delay) == (2, 3)
    assert roles.app.rolling.policy(dataclasses.replace(ctx, is_rollback=True)).delay == 0


def test_data_is_typed() -> None:
    """A wrong value is refused by the field's name."""
    with pytest.raises(ValidationError, match="keep_releases"):
        roles.app.role.wanted(
            {"keep_releases": 0}, Context(FLEET.members[0], FLEET, Secrets("none", lambda name: None))
        )


@pytest.mark.parametrize("part", ["images", "migration", "role", "proof", "record"])
def test_an_inventory_without_an_application_gets_no_operation(part: str) -> None:
    """Every part does nothing where there is no stack: it is called outside of a run and would fail otherwise."""
    ctx = Context(FLEET.members[0], FLEET, Secrets("none", lambda name: None))
    getattr(roles.app, part).tasks(App(), ctx)


@pytest.mark.parametrize(
    ("paths", "strip", "expected"),
    [
        (("/",), False, ("/version", "4f2c1e")),
        (("/ws",), False, ("/ws", "")),
        (("/api/",), True, ("/api/version", "4f2c1e")),
    ],
)
def test_the_proof_asks_where_a_site_can_answer(paths: tuple[str, ...], strip: bool, expected: tuple[str, str]) -> None:
    """The release id where requests keep their path to it; elsewhere any answer below 500."""
    edge = Edge(hosts=("shop.test",), port=80, paths=paths, strip_prefix=strip)
    assert _question(edge, "/version", "4f2c1e") == expected


def test_every_replica_is_asked(tmp_path: Path) -> None:
    """Twice as many requests as replicas, three at least."""
    ctx = context(tmp_path)
    services = stack_of(ctx).services
    assert sorted(_times(service, ctx) for service in services) == [3, 4]


FOUND = Found("shop-web-1", "sha256:1", "running", restart="unless-stopped")


def state(spec: ContainerSpec, **changed: Any) -> DockerState:
    found = dataclasses.replace(
        FOUND, labels=spec.own_labels(), memory=64 << 20, nano_cpus=500_000_000, pids=4096, **changed
    )
    return DockerState({"shop-web-1": found}, {spec.image: "sha256:1"})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"status": "exited"}, ["exited"]),
        ({"health": "unhealthy"}, ["unhealthy"]),
        ({"image": "sha256:2"}, ["made from another image"]),
        ({"memory": 1}, ["limits"]),
        ({"restart": "no"}, ["limits"]),
    ],
)
def test_what_differs_is_named(tmp_path: Path, changed: dict[str, Any], expected: list[str]) -> None:
    """A plan says in few words why a container is touched."""
    spec = web(context(tmp_path))
    wanted = state(spec)
    found = {"shop-web-1": dataclasses.replace(wanted.containers["shop-web-1"], **changed)}
    assert _what_differs(spec, dataclasses.replace(wanted, containers=found)) == expected


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("docker.io/library/redis:8", "redis:8"),
        ("redis", "redis:latest"),
        ("registry.test:5000/a/b", "registry.test:5000/a/b:latest"),
        ("registry.test:5000/a/b:1@sha256:00", "registry.test:5000/a/b@sha256:00"),
        ("docker.io/team/app:1", "team/app:1"),
    ],
)
def test_a_reference_is_found_as_docker_lists_it(written: str, listed: str) -> None:
    """However it is written, it means the same image."""
    assert familiar(written) == listed


def test_a_host_without_docker_has_nothing() -> None:
    """The fact's default is empty."""
    assert DockerFact.default() == DockerState() == DockerFact().process([])


@pytest.mark.parametrize(
    ("order", "keep", "expected"),
    [
        (("a", "b", "c"), 5, []),
        (("a", "b", "c"), 3, ["a"]),
        (("a", "c", "b"), 2, ["a", "c"]),
        (("b", "c"), 3, ["a"]),
    ],
)
def test_the_releases_longest_out_of_service_go(order: tuple[str, ...], keep: int, expected: list[str]) -> None:
    """By the log, not by a clock; one that the log does not know goes first, the new one (d) never. What was only
    staged (s) goes in any case, and takes nobody's place."""
    found = {name: {"id": name, "when": "then"} for name in "abc"} | {"s": {"id": "s", "staged": "then"}}
    assert _outdated(ReleaseRecords("c", found, order), "d", keep) == [*expected, "s"]


def test_secret_files_are_compared_without_telling_them() -> None:
    """What the fact reads back is what a directory wants; the value is in neither."""
    directory = SecretDirectory("shop-web-1", (SecretFile("run/key", Secret("canary"), 0o400, 1000, 1000),))
    lines = [
        "700:0:0 . -",
        "755:0:0 shop-web-1/ -",
        "755:0:0 shop-web-1/run -",
        "400:1000:1000 shop-web-1/run/key",
        f"{digest('canary')}  shop-web-1/run/key",
    ]
    found = SecretFilesFact().process(lines)
    assert {path: told for path, told in found.items() if path != "."} == directory.wanted()
    assert "canary" not in repr(directory) + repr(found)


def test_a_hostile_argument_stays_an_argument() -> None:
    """Quotes, newlines and command substitutions reach Docker as they are written."""
    spec = ContainerSpec("s", "w", 1, "r", "i", "n", argv=("a'b", '$(id)\n`id`; "', "*"))
    assert shlex.split(str(script("exit 0", *spec.create_words())))[-3:] == ["a'b", '$(id)\n`id`; "', "*"]


@pytest.mark.parametrize(("restarts", "up", "looping"), [(5, 1, True), (5, 300, False), (1, 1, False)])
def test_a_crash_loop_is_told_by_restarts_and_not_by_running(restarts: int, up: int, looping: bool) -> None:
    """A container that is up for the moment counts as crash-looping by how often and how lately it was restarted."""
    said = {"name": "/shop-web-1", "image": "sha256:1", "labels": {}, "status": "running", "exit_code": 0,
            "oom_killed": False, "restarts": restarts, "health": "", "memory": 0, "nano_cpus": 0, "pids": None,
            "restart": {"Name": "always"}, "grace": None, "ports": None,
            "started": "2026-01-01T00:00:00.123456789Z"}  # fmt: skip
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp() + up
    assert found_container(said, now).is_crash_looping is looping
