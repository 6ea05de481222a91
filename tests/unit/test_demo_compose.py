"""The demo's Compose file keeps what the application's code promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from slipway.compose import Service, load
from stacks.demo.src.demo import heartbeat, kinds
from stacks.demo.src.demo.__main__ import SERVICES

DEMO = Path(__file__).parents[2] / "stacks" / "demo"
SECRETS = ("postgres_password", "redis_password", "session_key")


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    """The services that run in containers, by name."""
    return {one.name: one for one in load(DEMO / "compose.yaml", variables={}, secret_names=SECRETS).services}


def test_every_service_of_the_program_is_in_the_compose_file(services: dict[str, Service]) -> None:
    """Each runs its own command and is watched by its own health command."""
    assert set(services) == set(SERVICES)
    for name, service in services.items():
        assert service.command == ("python3", "-m", "demo", name)
        assert service.healthcheck is not None
        assert service.healthcheck.test == ("python3", "-m", "demo", "health", name)


def test_one_image_for_all(services: dict[str, Service]) -> None:
    """Equal builds: built once, sent once."""
    assert len({str(service.build) for service in services.values()}) == 1


def test_the_stop_grace_is_longer_than_what_must_be_finished(services: dict[str, Service]) -> None:
    """The longest request, the longest job and the sockets' drain all end before SIGKILL."""
    server = (DEMO / "src" / "demo" / "server.py").read_text()
    api_grace = int(re.findall(r"^GRACE_SECONDS = (\d+)", server, re.MULTILINE)[0])
    assert services["api"].stop_grace_period > api_grace > kinds.SLEEP_LIMIT
    assert services["worker"].stop_grace_period > kinds.SLEEP_LIMIT
    assert services["ws"].stop_grace_period > int(services["ws"].environment["DRAIN_SECONDS"])


def test_the_ports_are_those_that_the_program_listens_on(services: dict[str, Service]) -> None:
    """The edge and the readiness check ask where the service answers."""
    for name, port in heartbeat.PORTS.items():
        extension = services[name].x
        assert extension.edge is not None
        assert extension.ready is not None
        assert (extension.edge.port, extension.ready.port) == (port, port)


def test_only_the_scheduler_is_a_singleton(services: dict[str, Service]) -> None:
    """One of it, ended before the next is started."""
    assert [name for name, service in services.items() if service.x.singleton] == ["scheduler"]
    assert services["scheduler"].replicas == 1


def test_no_secret_is_in_the_environment(services: dict[str, Service]) -> None:
    """Secrets are named by file; every file that is named is one that the service is given."""
    for service in services.values():
        files = {value for name, value in service.environment.items() if name.endswith("_FILE")}
        assert files == {secret.target for secret in service.secrets}


def test_migrations_are_one_line_of_at_least_three() -> None:
    """One head, no branches; each revision is named after its file."""
    files = sorted((DEMO / "migrations" / "versions").glob("*.py"))
    revisions = [re.findall(r'^revision = "(.+)"', file.read_text(), re.MULTILINE)[0] for file in files]
    parents = [re.findall(r'^down_revision = (?:"(.+)"|None)', file.read_text(), re.MULTILINE)[0] for file in files]
    assert len(files) >= 3
    assert revisions == [file.stem for file in files]
    assert parents == ["", *revisions[:-1]]


def test_the_image_is_built_from_debian_alone() -> None:
    """The base is an argument, nothing comes from another package index, and the user is not root."""
    dockerfile = (DEMO / "Dockerfile").read_text()
    assert "ARG BASE=debian:trixie-slim\nFROM ${BASE}\n" in dockerfile
    assert not re.search(r"\b(pip|npm|curl|wget)\b", dockerfile)
    assert "USER 1000:1000" in dockerfile


def test_the_file_is_plain_compose() -> None:
    """Everything that is not the Compose specification's own stands under a key that begins with x-."""
    known = {"services", "secrets", "volumes"}
    assert {key for key in yaml.safe_load((DEMO / "compose.yaml").read_text()) if not key.startswith("x-")} == known
