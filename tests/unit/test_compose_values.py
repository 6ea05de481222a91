"""What a value may look like: the lenient forms that the Compose specification allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway.compose import Amounts, Healthcheck, Port, RateLimit, Service, Ulimit, Volume, load

HEAD = "services:\n  web:\n    image: app:1\n"
DECLARED = "volumes: {data: }\nsecrets: {key: {external: true}}\nnetworks: {back: }\n"


def service(directory: Path, *lines: str, **variables: str) -> Service:
    """The service `web` with these further lines."""
    path = directory / "compose.yaml"
    path.write_text("name: shop\n" + HEAD + "".join(f"    {line}\n" for line in lines) + DECLARED)
    return load(path, variables=variables).service("web")


def shell_check(line: str) -> Healthcheck:
    """A health check that the container's shell runs."""
    return Healthcheck(test=(line,), shell=True)  # noqa: S604 - a field of that name, no process is started


ACCEPTED: list[tuple[str, str, Any]] = [
    ("command: echo 'two words' three", "command", ("echo", "two words", "three")),
    ("command: [echo, $$HOME, 3]", "command", ("echo", "$HOME", "3")),
    ("command:", "command", None),
    ("command: []", "command", ()),
    ("entrypoint: /init -v", "entrypoint", ("/init", "-v")),
    (
        "environment: {A: 1, B: 1.10, C: 'yes', D: '', E: 0o17, F: 2024-01-01}",
        "environment",
        {"A": "1", "B": "1.10", "C": "yes", "D": "", "E": "0o17", "F": "2024-01-01"},
    ),
    ("environment: [A=1, B=c=d, C=, TAKEN]", "environment", {"A": "1", "B": "c=d", "C": "", "TAKEN": "from outside"}),
    ("environment: {TAKEN: , A: '${TAKEN}!'}", "environment", {"TAKEN": "from outside", "A": "from outside!"}),
    ("ports: [8000]", "ports", (Port(target=8000),)),
    ("ports: ['8000:80']", "ports", (Port(published=8000, target=80),)),
    ("ports: [22:22]", "ports", (Port(published=22, target=22),)),
    (
        "ports: ['127.0.0.1:8000:80/udp']",
        "ports",
        (Port(published=8000, target=80, protocol="udp", host_ip="127.0.0.1"),),
    ),
    ("ports: ['127.0.0.1::80']", "ports", (Port(target=80, host_ip="127.0.0.1"),)),
    ("ports: ['[::1]:8000:80']", "ports", (Port(published=8000, target=80, host_ip="[::1]"),)),
    ("ports: ['8000-8001:80-81']", "ports", (Port(published=8000, target=80), Port(published=8001, target=81))),
    ("ports: ['3000-3001']", "ports", (Port(target=3000), Port(target=3001))),
    (
        "ports: [{target: 80, published: '8080', protocol: udp}]",
        "ports",
        (Port(published=8080, target=80, protocol="udp"),),
    ),
    ("expose: ['3000', 8000/udp]", "expose", (Port(target=3000), Port(target=8000, protocol="udp"))),
    ("volumes: ['data:/data']", "volumes", (Volume(type="volume", source="data", target="/data"),)),
    ("volumes: ['/srv/a:/a:ro,z']", "volumes", (Volume(type="bind", source="/srv/a", target="/a", read_only=True),)),
    (
        "volumes: [{type: volume, source: data, target: /data, read_only: true}]",
        "volumes",
        (Volume(type="volume", source="data", target="/data", read_only=True),),
    ),
    ("healthcheck: {test: curl -f localhost}", "healthcheck", shell_check("curl -f localhost")),
    ("healthcheck: {test: [CMD-SHELL, a || b]}", "healthcheck", shell_check("a || b")),
    (
        "healthcheck: {test: [CMD, a, b], interval: 1m30s, timeout: 500ms, retries: 5}",
        "healthcheck",
        Healthcheck(test=("a", "b"), interval=90.0, timeout=0.5, retries=5),
    ),
    ("healthcheck: {test: [NONE]}", "healthcheck", Healthcheck(disabled=True)),
    ("healthcheck: {disable: true}", "healthcheck", Healthcheck(disabled=True)),
    ("healthcheck: {start_period: 2m}", "healthcheck", Healthcheck(start_period=120.0)),
    ("stop_grace_period: 1h2m3.5s", "stop_grace_period", 3723.5),
    ("stop_grace_period: 0", "stop_grace_period", 0.0),
    ("shm_size: 2gb", "shm_size", 2 * 1024**3),
    ("shm_size: 64k", "shm_size", 65536),
    ("shm_size: 1.5MiB", "shm_size", 1572864),
    ("shm_size: 1048576", "shm_size", 1048576),
    ("tmpfs: /tmp", "tmpfs", ("/tmp",)),
    ("tmpfs: [/tmp, '/run:size=1m']", "tmpfs", ("/tmp", "/run:size=1m")),
    (
        "ulimits: {nofile: 1024, nproc: {soft: 10, hard: 20}}",
        "ulimits",
        {"nofile": Ulimit(soft=1024, hard=1024), "nproc": Ulimit(soft=10, hard=20)},
    ),
    ("labels: [a=b, c]", "labels", {"a": "b", "c": ""}),
    ("labels: {a: 1, b: }", "labels", {"a": "1", "b": ""}),
    ("extra_hosts: ['db:10.0.0.5', 'six=[::1]']", "extra_hosts", {"db": "10.0.0.5", "six": "::1"}),
    ("extra_hosts: {db: 10.0.0.5}", "extra_hosts", {"db": "10.0.0.5"}),
    ("dns: 10.0.0.2", "dns", ("10.0.0.2",)),
    ("read_only: 'true'", "read_only", True),
    ("init: ${FLAG}", "init", True),
    ("scale: ${COUNT}", "replicas", 4),
    ("deploy: {replicas: '2'}", "replicas", 2),
    ("deploy: {mode: global}", "replicas", None),
    ("restart: on-failure:3", "restart_attempts", 3),
    ("restart: 'no'", "restart", "no"),
    ("deploy: {restart_policy: {condition: none}}", "restart", "no"),
    ("networks: [back, default]", "networks", None),
    ("networks: {back: }", "networks", None),
    ("x-anything: {unknown: [1, 2]}", "labels", {}),
]


@pytest.mark.parametrize(("line", "field", "value"), ACCEPTED, ids=[line for line, _, _ in ACCEPTED])
def test_a_form_of_the_specification_is_read(line: str, field: str, value: object, tmp_path: Path) -> None:
    """Short and long forms, numbers as strings, variables as numbers: each becomes the one typed value."""
    found = service(tmp_path, line, TAKEN="from outside", FLAG="true", COUNT="4")
    assert getattr(found, field, None) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (
            'deploy: {resources: {limits: {cpus: "0.50", memory: 512M, pids: 100}}}',
            Amounts(cpus=0.5, memory=512 * 1024**2, pids=100),
        ),
        ("cpus: 1.5", Amounts(cpus=1.5)),
        ("mem_limit: 64m", Amounts(memory=64 * 1024**2)),
        ("pids_limit: 50", Amounts(pids=50)),
    ],
)
def test_both_forms_of_limits_are_one(line: str, value: Amounts, tmp_path: Path) -> None:
    """The older keys beside `image` and `deploy.resources.limits` give the same limits."""
    assert service(tmp_path, line).resources.limits == value


@pytest.mark.parametrize(
    ("rate", "limit"),
    [
        ("10/s", RateLimit(requests=10, per="second")),
        ("100/minute", RateLimit(requests=100, per="minute")),
        ("{requests: 5, burst: 10}", RateLimit(requests=5, per="second", burst=10)),
    ],
)
def test_a_rate_has_a_short_form(rate: str, limit: RateLimit, tmp_path: Path) -> None:
    """100/minute says what requests and per say."""
    line = f"x-slipway: {{edge: {{hosts: a.example.com, port: 80, rate_limit: {rate}}}}}"
    assert service(tmp_path, line).x.edge.rate_limit == limit


def test_env_files_lie_beneath_the_environment(tmp_path: Path) -> None:
    """Later files win over earlier ones, `environment` over all; quotes, comments and variables are read."""
    (tmp_path / "a.env").write_text(
        "# a comment\nA=file\nexport B='$literal'\nC=\"two\\nlines\" # said\nD=x # y\n\nE=${A}-e\nTAKEN\n"
    )
    (tmp_path / "b.env").write_text("A=later\n")
    found = service(tmp_path, "env_file: [a.env, {path: b.env}]", "environment: {D: own}", TAKEN="given")
    assert found.environment == {
        "A": "later",
        "B": "$literal",
        "C": "two\nlines",
        "D": "own",
        "E": "file-e",
        "TAKEN": "given",
    }


def test_dotenv_lies_beneath_the_variables(tmp_path: Path) -> None:
    """`.env` beside the file gives what the deploy's own variables do not."""
    (tmp_path / ".env").write_text("A=dotenv\nB=dotenv\n")
    assert service(tmp_path, "environment: {A: $A, B: $B}", B="given").environment == {"A": "dotenv", "B": "given"}


def test_anchors_and_merge_keys_give_each_service_its_own(tmp_path: Path) -> None:
    """A merged fragment lies beneath the service's own keys; of several, the first wins."""
    path = tmp_path / "compose.yaml"
    path.write_text(
        "name: shop\nx-a: &a {user: a, init: true}\nx-b: &b {user: b, hostname: b}\n"
        "services:\n  web:\n    <<: [*a, *b]\n    image: app:1\n    init: false\n"
    )
    found = load(path, variables={}).service("web")
    assert (found.user, found.init, found.hostname) == ("a", False, "b")


def test_a_dependency_that_is_not_required_may_be_absent(tmp_path: Path) -> None:
    """`required: false` on a service that is not in the file is a note, not an error."""
    assert service(tmp_path, "depends_on: {job: {condition: service_started, required: false}}").depends_on == {}
