"""Light hosts that converge themselves: a service on each, one Redis, and when every restart began and ended.

All containers of a machine have one clock, so that what their services write down can be put in one order.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyrage

from slipway.lab import apt_cache
from slipway.lab.engine import connect
from slipway.lab.images import LIGHT, ensure_built
from slipway.lab.light import LightHost, LightHosts
from slipway.reconcile.result import Reconciliation
from tests.debian_python import packages
from tests.project import ROOT

SHARED = "/opt/slipway"
PROJECT, SITE, AGE_KEY = f"{SHARED}/project", f"{SHARED}/site", f"{SHARED}/age.key"
USER, PASSWORD = "turns", "a long password of Redis"
LOG = "/var/log/toy"

# What the unit's program ends with, in an environment without ways into other hosts.
RUN = f"""\
cd {PROJECT}
export PYTHONPATH={PROJECT}/src:{SITE} PYTHONDONTWRITEBYTECODE=1 SLIPWAY_STATE_DIR=/var/lib/reconciler
export SLIPWAY_AGE_KEY_FILE={AGE_KEY}
echo $$ > /run/reconcile.pid
exec python3 -m slipway reconcile all --here "$1" --mend all --json
"""

TOY = '''\
"""A service that is a file and a log: it writes down when it is stopped and when it is up again."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation

from slipway.disruption import Disruption, disrupts
from slipway.facts.files import script
from slipway.ops import files
from slipway.report import note_change
from slipway.role import Role, RoleData

# It is up with the settings that it was started with.
RESTART = """
set -eu
echo "$1 stop $(date +%s.%N)" >> /var/log/toy
sleep "$2"
case $(cat "/etc/$1") in bad*) echo "it does not come up with these settings" >&2; exit 1 ;; esac
cp "/etc/$1" "/run/$1"
echo "$1 start $(date +%s.%N)" >> /var/log/toy
"""


class IsUpToDate(FactBase[bool]):
    is_live = True
    default = staticmethod(lambda: False)

    def command(self, service: str) -> StringCommand:
        return script('if cmp -s "/etc/$1" "/run/$1"; then echo yes; else echo no; fi', service)

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


class Toy(RoleData):
    text: str
    seconds: float = 0.3
    idle: int = 0


@operation()
def restarted(service: str, seconds: float) -> Generator[StringCommand]:
    if host.get_fact(IsUpToDate, service=service):
        return
    note_change(service, "owed restart", is_owed=True)
    disrupts(Disruption(f"restart {service}", seconds=2))
    yield script(RESTART, service, str(seconds))


@operation()
def idle(seconds: int) -> Generator[StringCommand]:
    if seconds:
        note_change("idle", "wait")
        yield script('sleep "$1"', str(seconds))


def tasks(data: Toy, ctx: object) -> None:
    for service in ("toy", "toy2") if data.idle else ("toy",):
        files.put(path=f"/etc/{service}", content=f"{data.text}\\n", name=f"Write settings of {service}")
    restarted(service="toy", seconds=data.seconds, name="Restart toy")
    idle(seconds=data.idle, name="Idle")
    if data.idle:
        restarted(service="toy2", seconds=data.seconds, name="Restart toy2")
    files.put(path="/etc/motd", content=f"{data.text}\\n", name="Write motd")


role = Role("toy", Toy, tasks)
'''

DEPLOY = """\
import toy
from slipway.deploy import converge
from slipway.ops import files

converge("Toys", {"toys": toy})
files.put(path="/etc/issue", content="of this project\\n", name="Write issue")
"""


@dataclass(frozen=True)
class Ended:
    """One host's run."""

    host: str
    code: int
    found: Reconciliation
    said: str
    began: float
    ended: float

    @property
    def left(self) -> list[str]:
        return [each.left for host in self.found.hosts for each in host.differences if each.left]


@dataclass(frozen=True)
class Restart:
    """One restart of a service, by the one clock of all hosts."""

    host: str
    service: str
    stopped: float
    started: float


class Toys:
    """The hosts, and the project that they have in common."""

    def __init__(self, light: LightHosts, folder: Path) -> None:
        self.light, self._folder = light, folder
        self.hosts: list[LightHost] = []

    def up(self, count: int) -> None:
        """So many hosts, a Redis beside them, and what they need to run in the directory that they share."""
        self.hosts = self.light.up(count)
        # The preflight wants systemd, and nothing here does: the toy stands for a unit.
        self.light.exec_on([host.name for host in self.hosts], ["mkdir", "-p", "/run/systemd/system"])
        self._start_redis()
        project = self._folder / "project"
        for name in ("src",):
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "config.py", project / "config.py")
        (project / "toy.py").write_text(TOY)
        (project / "deploy.py").write_text(DEPLOY)
        age = pyrage.x25519.Identity.generate()
        held = f"redis_password: {PASSWORD}\n"
        (project / "secrets.age").write_bytes(pyrage.encrypt(held.encode(), [age.to_public()], armored=True))
        (self._folder / "age.key").write_text(f"{age}\n")
        (self._folder / "age.key").chmod(0o600)
        packages("install", self._folder / "site")
        self._copy(self._folder)

    def _copy(self, what: Path, to: str = SHARED) -> None:
        words = ["docker", "cp", "-q", f"{what}/.", f"{self.light.container('light1')}:{to}"]
        subprocess.run(words, check=True)
        self.light.exec("light1", ["chown", "-R", "root:root", SHARED])

    def _start_redis(self) -> None:
        client = connect()
        proxy = apt_cache.ensure_cache(client, lambda line: None)
        base = ensure_built(client, LIGHT, 12, lambda line: None, proxy)
        arguments = ["--build-arg", f"BASE={base}", *(["--build-arg", f"http_proxy={proxy}"] if proxy else [])]
        build = ["docker", "build", "-q", *arguments, str(Path(__file__).parent / "redis")]
        image = subprocess.run(build, check=True, capture_output=True, text=True, timeout=240).stdout.strip()
        labels = [word for name, value in self.light.labels.items() for word in ("--label", f"{name}={value}")]
        server = ["redis-server", "--bind", "0.0.0.0", "--requirepass", PASSWORD, "--save", ""]  # noqa: S104 - a lab's
        run = ["docker", "run", "-d", "--name", self.redis, "--network", self.light.network, *labels, image, *server]
        subprocess.run(run, check=True, capture_output=True)
        # As docs/pull.md has it, and no more.
        rights = "~slipway:* +@scripting +set +get +del +pttl +pexpire +hset +hdel +hgetall +info"
        until = time.monotonic() + 30  # it listens within a second; a busy machine takes longer
        while self.redis_cli("ACL", "SETUSER", USER, "on", f">{PASSWORD}", *rights.split()) != "OK":
            assert time.monotonic() < until, "Redis does not come up"
            time.sleep(0.2)

    @property
    def redis(self) -> str:
        return self.light.container("redis")

    def redis_cli(self, *words: str) -> str:
        command = ["docker", "exec", self.redis, "redis-cli", "--no-auth-warning", "-a", PASSWORD, *words]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    def redis_address(self) -> str:
        path = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        done = subprocess.run(["docker", "inspect", "-f", path, self.redis], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Within it, Redis says nothing."""
        subprocess.run(["docker", "pause", self.redis], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["docker", "unpause", self.redis], check=True, capture_output=True)

    def want(self, hosts: Sequence[LightHost], text: str, wait: int = 300, **toy: Any) -> None:
        """From now on these hosts are the inventory, and their service is to have this text."""
        members = [(each.name, {"address": each.address}) for each in hosts]
        leases = {"redis": self.redis_address(), "user": USER, "password": "redis_password", "wait": wait}
        data = f"""\
            secrets = "age:secrets.age"
            toy = { ({"text": text, **toy})!r}
            reconcile = {{"leases": {leases!r}}}
            """
        change = self._folder / "change"
        for name, content in {"inventories/all.py": f"toys = {members!r}\n", "group_data/all.py": dedent(data)}.items():
            (change / name).parent.mkdir(parents=True, exist_ok=True)
            (change / name).write_text(content)
        self._copy(change, PROJECT)

    def start(self, host: LightHost) -> subprocess.Popen[str]:
        """Its own run, begun."""
        command = ["docker", "exec", self.light.container(host.name), "sh", "-c", RUN, "run", host.name]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def all_at_once(self, hosts: Sequence[LightHost], seconds: float = 240) -> list[Ended]:
        """All of them begin at the same moment."""
        began = time.time()
        jobs = [(host, self.start(host)) for host in hosts]
        return [self.ended(host, job, began, seconds) for host, job in jobs]

    def ended(self, host: LightHost, job: subprocess.Popen[str], began: float = 0.0, seconds: float = 240) -> Ended:
        out, said = job.communicate(timeout=seconds)
        assert out.startswith("{"), f"{host.name}: {job.returncode}: {out}{said}"
        return Ended(host.name, job.returncode, Reconciliation.from_json(out), said, began, time.time())

    def signal(self, host: LightHost, name: str) -> None:
        """To the run in hand there, and to nothing that it has started."""
        self.light.exec(host.name, ["sh", "-c", f"kill -{name} $(cat /run/reconcile.pid)"])

    def wait_for(self, host: LightHost, words: str, seconds: float = 60) -> float:
        """When a line with these words was in the log of that host's service."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if words in self.light.exec(host.name, ["sh", "-c", f"cat {LOG} 2>/dev/null || :"]):
                return time.time()
            time.sleep(0.1)
        raise AssertionError(f"{host.name}: no {words!r} within {seconds} s")

    def forget(self, hosts: Sequence[LightHost]) -> None:
        """As if nothing had ever been on these hosts, and no lease or mark in Redis."""
        self.light.exec_on([host.name for host in hosts], ["sh", "-c", f"rm -f {LOG} /etc/toy* /run/toy* /etc/motd"])
        self.redis_cli("FLUSHALL")

    def restarts(self, hosts: Sequence[LightHost]) -> list[Restart]:
        """Every one that has come to its end, in their order."""
        logs = self.light.exec_on([host.name for host in hosts], ["sh", "-c", f"cat {LOG} 2>/dev/null || :"])
        found = [each for host, log in zip(hosts, logs, strict=True) for each in _restarts(host.name, log)]
        return sorted(found, key=lambda each: each.stopped)


def _restarts(host: str, log: str) -> Iterator[Restart]:
    stopped: dict[str, float] = {}
    for service, what, at in (line.split() for line in log.splitlines()):
        if what == "stop":
            stopped[service] = float(at)
        else:
            yield Restart(host, service, stopped.pop(service), float(at))


def overlapping(restarts: Sequence[Restart]) -> list[tuple[Restart, Restart]]:
    """Pairs of restarts of one service, on two hosts, that were under way at the same time."""
    return [
        (one, other)
        for number, one in enumerate(restarts)
        for other in restarts[number + 1 :]
        if one.host != other.host
        and one.service == other.service
        and one.stopped < other.started
        and other.stopped < one.started
    ]


def told(ended: Ended) -> str:
    """For a failing test."""
    return f"{ended.host}: {ended.code} {json.dumps(json.loads(ended.found.to_json()), indent=1)}\n{ended.said}"
