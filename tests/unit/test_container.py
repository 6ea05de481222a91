"""The specification of a container: every field reaches `docker create`, and every field is in its digest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from slipway.container import ContainerSpec, HealthCommand, Limits, Mount, Probe, Publish

PLAIN = ContainerSpec("shop", "web", 1, "4f2c1e", "shop:1", "shop")

# Every field with a value of its own, and the words that must then stand in `docker create`, in this order.
FIELDS: dict[str, tuple[Any, list[str]]] = {
    "stack": ("other", ["--name", "other-web-1"]),
    "service": ("api", ["--network-alias", "api"]),
    "replica": (2, ["--name", "shop-web-2"]),
    "release": ("1a9b07", ["--label", "slipway.release=1a9b07"]),
    "image": ("shop@sha256:00", ["shop@sha256:00"]),
    "network": ("net", ["--network", "net"]),
    "argv": (("serve", "--port", "80 81"), ["shop:1", "serve", "--port", "80 81"]),
    "entrypoint": (("tini", "--"), ["--entrypoint", "tini", "shop:1", "--"]),
    "environment": ({"A": "x y\nz"}, ["--env", "A=x y\nz"]),
    "ports": ((Publish("10.0.0.1", 18000, 80),), ["--publish", "10.0.0.1:18000:80/tcp"]),
    "serves": ((Publish("10.0.0.1", 20000, 80), Publish("10.0.0.1", 20005, 80)),
               ["--publish", "10.0.0.1:20000:80/tcp"]),
    "mounts": ((Mount("bind", "/run/secrets", "/srv/a,b", True),),
               ["--mount", 'type=bind,target=/run/secrets,"source=/srv/a,b",readonly']),
    "tmpfs": (("/tmp:size=1m",), ["--tmpfs", "/tmp:size=1m,mode=1777"]),
    "extra_hosts": ({"db": "10.0.0.3"}, ["--add-host", "db:10.0.0.3"]),
    "dns": (("10.0.0.9",), ["--dns", "10.0.0.9"]),
    "dns_search": (("example.com",), ["--dns-search", "example.com"]),
    "hostname": ("box", ["--hostname", "box"]),
    "user": ("1000:1000", ["--user", "1000:1000"]),
    "group_add": (("docker",), ["--group-add", "docker"]),
    "workdir": ("/app", ["--workdir", "/app"]),
    "limits": (Limits(0.5, 64 << 20, 100),
               ["--cpus", "0.5", "--memory", "67108864", "--memory-swap", "134217728", "--pids-limit", "100"]),
    "memory_reservation": (1 << 25, ["--memory-reservation", "33554432"]),
    "shm_size": (1 << 26, ["--shm-size", "67108864"]),
    "health": (HealthCommand("curl -f localhost", 10, 5, 20, 2),
               ["--health-cmd", "curl -f localhost", "--health-interval", "10000ms", "--health-timeout", "5000ms",
                "--health-start-period", "20000ms", "--health-retries", "2"]),
    "stop_signal": ("SIGQUIT", ["--stop-signal", "SIGQUIT"]),
    "stop_timeout": (40.2, ["--stop-timeout", "41"]),
    "read_only": (True, ["--read-only"]),
    "init": (True, ["--init"]),
    "cap_add": (("NET_ADMIN",), ["--cap-add", "NET_ADMIN"]),
    "cap_drop": (("ALL",), ["--cap-drop", "ALL"]),
    "security_opt": (("no-new-privileges:true",), ["--security-opt", "no-new-privileges:true"]),
    "sysctls": ({"net.core.somaxconn": "1024"}, ["--sysctl", "net.core.somaxconn=1024"]),
    "ulimits": ({"nofile": "1024:2048"}, ["--ulimit", "nofile=1024:2048"]),
    "log_driver": ("local", ["--log-driver", "local"]),
    "log_options": ({"max-size": "10m"}, ["--log-opt", "max-size=10m"]),
    "labels": ({"team": "web"}, ["--label", "team=web"]),
}  # fmt: skip
# Set by `docker update` once the container has proved itself.
NOT_AT_CREATION = {"restart": "on-failure:3"}
# What says nothing about what the container is.
NOT_IN_DIGEST = {"slot": 1, "probe": Probe("/ready", 80)}


def changed(field: str) -> ContainerSpec:
    value = NOT_AT_CREATION[field] if field in NOT_AT_CREATION else FIELDS[field][0]
    return dataclasses.replace(PLAIN, **{field: value})


def is_within(words: list[str], whole: list[str]) -> bool:
    return any(whole[start : start + len(words)] == words for start in range(len(whole)))


def test_no_field_is_forgotten() -> None:
    """A new field of the specification needs a line in this table."""
    assert {field.name for field in dataclasses.fields(ContainerSpec)} == {*FIELDS, *NOT_AT_CREATION, *NOT_IN_DIGEST}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_reaches_docker(field: str) -> None:
    """What the specification says stands in the words of `docker create`, and not without it."""
    words = FIELDS[field][1]
    assert is_within(words, changed(field).create_words())
    assert not is_within(words, PLAIN.create_words())


@pytest.mark.parametrize("field", [*FIELDS, *NOT_AT_CREATION])
def test_every_field_is_in_the_digest(field: str) -> None:
    """No difference between two specifications goes unnoticed."""
    assert changed(field).digest() != PLAIN.digest()


def test_its_slot_and_its_readiness_do_not_make_it_another_container() -> None:
    """The same container stands in either slot; a changed time-out replaces nothing. Both reach Docker all the same."""
    spec = changed("serves")
    for field, value in NOT_IN_DIGEST.items():
        assert dataclasses.replace(spec, **{field: value}).digest() == spec.digest()
        assert dataclasses.replace(spec, **{field: value}).create_words() != spec.create_words()
    other = dataclasses.replace(spec, slot=1, probe=Probe("/ready", 80))
    assert other.peer == "10.0.0.1:20005"
    assert (other.placed_probe.address, other.placed_probe.port) == ("10.0.0.1", 20005)
    assert Probe.from_label(other.own_labels()["slipway.probe"]) == other.placed_probe


def test_the_digest_is_the_same_every_time() -> None:
    """It depends on the content only, not on the order in which variables are written."""
    one = dataclasses.replace(PLAIN, environment={"A": "1", "B": "2"})
    two = dataclasses.replace(PLAIN, environment={"B": "2", "A": "1"})
    assert one.digest() == two.digest()
    assert PLAIN.digest() == "1e96b974cf8f0147"


def test_an_empty_entrypoint_clears_the_one_of_the_image() -> None:
    """`entrypoint: []` is not the same as no entrypoint."""
    assert is_within(["--entrypoint", "", "shop:1"], dataclasses.replace(PLAIN, entrypoint=()).create_words())


def test_an_ipv6_address_is_bracketed() -> None:
    """The address of a published port may be IPv6."""
    assert Publish("fd00::1", 1, 2, "udp").word() == "[fd00::1]:1:2/udp"


def test_a_health_check_can_be_switched_off() -> None:
    """`healthcheck: {disable: true}` switches the image's own off."""
    words = dataclasses.replace(PLAIN, health=HealthCommand(disabled=True)).create_words()
    assert "--no-healthcheck" in words and "--health-interval" not in words


def test_a_job_has_the_surroundings_of_its_service_and_is_not_reached_by_others() -> None:
    """A migration gets environment, secrets and limits, but neither ports nor labels nor the service's name."""
    spec = changed("environment")
    spec = dataclasses.replace(spec, ports=FIELDS["ports"][0], mounts=FIELDS["mounts"][0], argv=("migrate",))
    words = spec.job_words("shop-migrate")
    assert is_within(["--name", "shop-migrate"], words) and is_within(["shop:1", "migrate"], words)
    assert "--env" in words and "--mount" in words
    assert not {"--publish", "--label", "--network-alias"} & {*words}
