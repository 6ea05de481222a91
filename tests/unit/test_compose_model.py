"""What a stack promises to those who deploy it: order, fingerprints, ports of the hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.compose import Service, Stack, host_port, load
from slipway.compose.host_ports import derived_base

EDGE = "x-slipway: {edge: {hosts: [a.example.com], port: 80}%s}"


def stack(directory: Path, services: str) -> Stack:
    """A stack with these services."""
    path = directory / "compose.yaml"
    path.write_text(f"name: shop\nservices:\n{services}volumes: {{data: }}\n")
    return load(path, variables={})


def web(directory: Path, *lines: str) -> Service:
    """The service `web` with these further lines."""
    return stack(directory, "  web:\n    image: web:1\n" + "".join(f"    {line}\n" for line in lines)).service("web")


def test_services_follow_those_they_depend_on_and_otherwise_the_file(tmp_path: Path) -> None:
    """The order of the file is kept as far as the dependencies allow."""
    found = stack(
        tmp_path,
        "  d: {image: 'a:1', depends_on: [b]}\n  c: {image: 'a:1'}\n"
        "  b: {image: 'a:1', depends_on: [a]}\n  a: {image: 'a:1'}\n",
    )
    assert [service.name for service in found.services] == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    "line",
    [
        "image: web:2",
        "environment: {A: b}",
        "command: run",
        "ports: ['80:80']",
        "volumes: ['data:/data']",
        "cpus: 2",
        "stop_grace_period: 20s",
        "labels: {a: b}",
        "healthcheck: {disable: true}",
        "restart: always",
        "x-slipway: {edge: {hosts: [a.example.com], port: 80}}",
    ],
)
def test_a_fingerprint_changes_with_what_runs(line: str, tmp_path: Path) -> None:
    """Whatever makes another container makes another fingerprint."""
    lines = "    image: web:1\n" if not line.startswith("image") else ""
    changed = stack(tmp_path, f"  web:\n{lines}    {line}\n").service("web")
    assert changed.fingerprint() != web(tmp_path).fingerprint()


@pytest.mark.parametrize(
    "line",
    [
        "deploy: {update_config: {order: start-first}}",
        "deploy: {rollback_config: {parallelism: 0}}",
        "deploy: {replicas: 4}",
        "depends_on: [job]",
        "x-slipway: {drain_seconds: 5, group: others}",
        "x-comment: {a: b}",
    ],
)
def test_a_fingerprint_stays_with_how_it_is_replaced(line: str, tmp_path: Path) -> None:
    """Policies, replicas, order and group do not replace containers that run."""
    services = "  web:\n    image: web:1\n%s  job: {image: 'job:1'}\n"
    plain, changed = (stack(tmp_path, services % text).service("web") for text in ("", f"    {line}\n"))
    assert changed.fingerprint() == plain.fingerprint()


def test_a_fingerprint_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    """Two files that say the same in another order are the same release."""
    first = web(tmp_path, "environment: {A: a, B: b}", "user: u").fingerprint()
    assert web(tmp_path, "user: u", "environment: {B: b, A: a}").fingerprint() == first


def test_a_fingerprint_is_the_same_in_every_checkout(tmp_path: Path) -> None:
    """The directory of the file is no part of what runs."""
    (tmp_path / "other").mkdir()
    assert web(tmp_path).fingerprint() == web(tmp_path / "other").fingerprint()


def test_host_ports_are_derived_from_the_names_alone(tmp_path: Path) -> None:
    """A service without any port of its own gets the same ten on every controller and in every release."""
    service = web(tmp_path, EDGE % "")
    assert [host_port(service, index) for index in range(5)] == [21300, 21301, 21302, 21303, 21304]


def test_derived_ports_stay_in_their_range() -> None:
    """All of them are multiples of ten from 20000 to 29990."""
    bases = {derived_base("shop", f"service-{number}") for number in range(3000)}
    assert min(bases) >= 20000
    assert max(bases) <= 29990
    assert all(base % 10 == 0 for base in bases)


def test_host_ports_follow_the_published_base_then_the_published_port(tmp_path: Path) -> None:
    """An explicit base wins; without one the published port of the edge's port is the first."""
    assert host_port(web(tmp_path, "ports: ['18000:80']", EDGE % ""), 1) == 18001
    assert host_port(web(tmp_path, "ports: ['18000:80']", EDGE % ", published_base: 19000"), 1) == 19001


def test_a_sixth_replica_on_one_host_has_no_port(tmp_path: Path) -> None:
    """The other five ports are for successors, so a sixth replica is an error, not a collision."""
    with pytest.raises(ValueError, match="web: a host runs at most 5 replicas"):
        host_port(web(tmp_path, EDGE % ""), 5)


def test_a_service_without_an_edge_has_no_port_of_its_own(tmp_path: Path) -> None:
    """Only what the edge reaches gets derived ports."""
    with pytest.raises(ValueError, match="web has no edge"):
        host_port(web(tmp_path), 0)


def test_an_unknown_service_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """`.service()` names what was meant."""
    with pytest.raises(KeyError, match="did you mean 'web'"):
        stack(tmp_path, "  web: {image: 'web:1'}\n").service("wbe")


def test_a_stack_is_named_after_its_directory_or_by_name(tmp_path: Path) -> None:
    """Without `name:` the directory's name is the project's."""
    directory = tmp_path / "my-shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text("services:\n  web: {image: 'web:1'}\n")
    assert load(directory / "compose.yaml", variables={}).name == "my-shop"


def test_services_of_other_groups_may_publish_the_same_port(tmp_path: Path) -> None:
    """Groups are other hosts, so a fixed port collides only within one."""
    found = stack(
        tmp_path,
        "  a: {image: 'a:1', ports: ['80:80']}\n  b: {image: 'a:1', ports: ['80:80'], x-slipway: {group: others}}\n",
    )
    assert [service.ports[0].published for service in found.services] == [80, 80]
