"""The demo application in containers on a private network of this machine, as its Compose file describes it."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import yaml

from slipway.compose.interpolation import interpolate
from slipway.images import Build, ensure_built

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "stacks" / "demo"
COMPOSE = yaml.safe_load(interpolate((DEMO / "compose.yaml").read_text(), {}.get))
BASE = "debian:trixie-slim"
BUILD = Build(DEMO, args={"BASE": BASE})
DATA_SERVICES = Build(Path(__file__).parent / "data_services", args={"BASE": BASE})
HARDENED = {
    "read_only": COMPOSE["x-program"]["read_only"],
    "tmpfs": dict.fromkeys(COMPOSE["x-program"]["tmpfs"], ""),
    "cap_drop": COMPOSE["x-program"]["cap_drop"],
    "security_opt": COMPOSE["x-program"]["security_opt"],
}
PATIENCE_SECONDS = 40
"""A worker takes a dead one's job over after 15 s, a scheduler looks for lost jobs after 10 s: twice that."""


class Stack:
    """Starts, asks and ends containers; `close` leaves nothing behind."""

    def __init__(self, directory: Path) -> None:
        self.docker = docker.from_env()
        self.name = f"slipway-demo-test-{secrets.token_hex(3)}"
        self.passwords = _write_secrets(directory)
        self._secrets = directory
        self.image = ensure_built("demo", BUILD).ref
        self._data_image = ensure_built("demo-data-services", DATA_SERVICES).ref
        self._network = self.docker.networks.create(self.name, driver="bridge")
        self._containers: list[Any] = []
        self.api: Any = None
        self.ws: Any = None
        self.worker: Any = None
        self.scheduler: Any = None

    def start_data(self) -> None:
        """Postgres as `db`, Redis as `cache`, both with the passwords of the secrets."""
        self.run("db", ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "/postgres.sh"], data=True)
        redis = (
            'echo "requirepass $(cat /run/secrets/redis_password)" > /tmp/redis.conf;'
            " exec redis-server /tmp/redis.conf --bind 0.0.0.0"
        )
        self.run("cache", ["sh", "-c", redis], data=True)

    def start(self, service: str, name: str = "", **environment: str) -> Any:
        """A service of the Compose file; `name` where it is a further one."""
        described = COMPOSE["services"][service]
        values = {**described["environment"], "SLIPWAY_HOST": f"host-of-{name or service}", **environment}
        return self.run(name or service, described["command"], values)

    def run(self, name: str, command: list[str], environment: dict[str, str] | None = None, data: bool = False) -> Any:
        container = self.docker.containers.create(
            self._data_image if data else self.image,
            command,
            name=f"{self.name}-{name}",
            hostname=name,
            environment={"SLIPWAY_RELEASE": "release-1", **(environment or {})},
            **({} if data else HARDENED),
            volumes={str(self._secrets): {"bind": "/run/secrets", "mode": "ro"}},
            network=self.name,
            networking_config={self.name: self.docker.api.create_endpoint_config(aliases=[name])},
        )
        self._containers.append(container)
        container.start()
        return container

    def migrate(self, name: str = "migrate", **environment: str) -> Any:
        migration = COMPOSE["x-slipway"]["migrate"]
        values = {**COMPOSE["services"][migration["service"]]["environment"], **environment}
        return self.run(name, migration["command"], values)

    def forget(self, container: Any) -> None:
        """Removes one container, so that its name can be used again."""
        self._containers.remove(container)
        container.remove(force=True, v=True)

    def address(self, container: Any) -> str:
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][self.name]["IPAddress"])

    def ask(self, container: Any, path: str, body: Any = None, port: int = 8000, **headers: str) -> Answer:
        """One request; GET, or POST of JSON where there is a body."""
        connection = http.client.HTTPConnection(self.address(container), port, timeout=35)
        try:
            content = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, content, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()

    def close(self) -> None:
        for container in self._containers:
            container.remove(force=True, v=True)
        self._network.remove()
        self.docker.close()


def converse(client: Any, address: str, seconds: float, *texts: str) -> Conversation:
    """Opens a WebSocket from within a container and sends these texts."""
    source = (Path(__file__).parent / "socket_client.py").read_text()
    words = ["python3", "-c", source, address, str(seconds), *texts]
    return Conversation(client.exec_run(words, stream=True, demux=False).output)


class Conversation:
    """What a WebSocket brought, as it comes; to the end with `rest`."""

    def __init__(self, output: Iterator[bytes]) -> None:
        self._lines = _lines(output)

    def until_open(self) -> Conversation:
        first = next(self._lines)
        assert first == {"open": True}, first
        return self

    def rest(self) -> list[dict[str, Any]]:
        return [*self._lines]


def _lines(output: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    waiting = b""
    for chunk in output:
        *whole, waiting = (waiting + chunk).split(b"\n")
        yield from (json.loads(line) for line in whole)


class Answer:
    """What came back."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.status, self.text, self.headers = status, text, headers

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class NotYet(Exception):
    """What is waited for does not hold, and why."""


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """What `holds` gives once it is true; fails with the last reason where that does not come in time.

    `holds` may be false, be refused a connection, or raise NotYet with its reason: all of these are asked again.
    """
    deadline = time.monotonic() + seconds
    reason: object = "not yet"
    while time.monotonic() < deadline:
        try:
            value = holds()
        except (OSError, http.client.HTTPException, NotYet) as error:
            value, reason = None, error
        if value:
            return value
        time.sleep(0.1)  # polling a container on this machine; an answer takes milliseconds
    raise AssertionError(f"{what}: not within {seconds} s ({reason})")


def _write_secrets(directory: Path) -> list[str]:
    values = {name: secrets.token_hex(12) for name in COMPOSE["secrets"]}
    for name, value in values.items():
        (directory / name).write_text(value)
        (directory / name).chmod(0o444)
    directory.chmod(0o755)
    return [*values.values()]
