"""Passwords rotated on a real host by the command, with clients that log in anew all along: nobody is turned away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.secrets import Secrets, open_source
from tests.labs import lab_of_tests
from tests.project import ROOT, Project, new_project

pytestmark = pytest.mark.hosts

HOST = "db1"
SECRETS = {"shop_password": "pä ss'w\\ord$1", "cache_password": 'first "one"'}

# A stage after the servers', as the application's is: what it writes is what a container gets.
DEPLOY = """
from client import role as client
from roles import postgres, redis
from slipway.deploy import converge

converge("Database", {"web": postgres})
converge("Cache", {"web": redis})
converge("Application", {"web": client})
"""

CLIENT = '''
from slipway.ops import files
from slipway.role import Role, RoleData
from slipway.secrets import Secret


class Client(RoleData):
    """What the clients of this test are given."""


def tasks(data: Client, ctx) -> None:
    login = ctx.secrets.versions("shop_password").login or "shop"
    values = [login, ctx.secret("shop_password").reveal(), ctx.secret("cache_password").reveal()]
    files.put(name="Write what clients get", path="/etc/client", content=Secret("\\n".join(values)), mode="600")


role = Role("client", data=Client, tasks=tasks)
'''

# Each round reads what it is given at once, and logs in anew at both servers, with a minute for it: a busy machine is
# slow and turns nobody away.
CLIENTS = r"""
address=$1 log=/run/clients; : > $log
while [ ! -e /run/clients.stop ]; do
  given=$(cat /etc/client; echo .); given=${given%.}
  login=$(printf %s "$given" | sed -n 1p)
  said=$(PGPASSWORD=$(printf %s "$given" | sed -n 2p) PGCONNECT_TIMEOUT=60 \
    psql -w -XAtq -h "$address" -U "$login" -d shop -c 'SELECT current_user' 2>&1)
  [ "$said" = shop ] && echo "ok db $login" >> $log || echo "FAILED db $login: $said" >> $log
  said=$(REDISCLI_AUTH=$(printf %s "$given" | sed -n 3p) redis-cli --no-auth-warning -h "$address" GET x 2>&1)
  [ -z "$said" ] && echo "ok cache" >> $log || echo "FAILED cache: $said" >> $log
  sleep 0.1
done
"""


@dataclass(frozen=True)
class Shop:
    """A project over one host with both servers, and what a test does with it."""

    project: Project

    @property
    def address(self) -> str:
        return self.project.lab.address(HOST)

    @property
    def source(self) -> Secrets:
        return open_source("file:secrets.yaml", self.project.path)

    @property
    def login(self) -> str:
        """The login whose turn it is."""
        return self.source.versions("shop_password").login or "shop"

    def rotate(self, name: str) -> subprocess.CompletedProcess[str]:
        # Three deploys, each of some seconds.
        done = self.project.slipway_words("secrets", "rotate", "all", name, seconds=300)
        assert not any(value in done.stdout + done.stderr for value in self._values())
        return done

    def _values(self) -> list[str]:
        return [self.source.get(name).reveal() for name in SECRETS]

    def sh(self, text: str, *arguments: str) -> str:
        result = self.project.lab.exec(HOST, ["bash", "-c", text, "test", *arguments])
        assert result.code == 0, f"{text}: {result}"
        return result.stdout.strip()

    def sql(self, query: str) -> str:
        return self.sh('cd /; runuser -u postgres -- psql -XAtqw -d shop -c "$1"', query)

    def can_log_in(self, login: str, password: str) -> bool:
        text = (
            'PGPASSWORD=$2 psql -w -XAtq -h "$3" -U "$1" -d shop -c "SELECT 1" 2>&1 | grep -qx 1 && echo yes || echo no'
        )
        return self.sh(text, login, password, self.address) == "yes"

    def redis_takes(self, password: str) -> bool:
        text = 'REDISCLI_AUTH=$1 redis-cli --no-auth-warning -h "$2" PING 2>&1 || true'
        return self.sh(text, password, self.address) == "PONG"

    def stays(self, text: str, password: str) -> None:
        """Leaves a client running on the host, with the password and the server's address as $1 and $2."""
        self.sh(
            'setsid nohup bash -c "$1" client "$2" "$3" < /dev/null > /run/stays 2>&1 &', text, password, self.address
        )

    def until(self, text: str, *arguments: str) -> None:
        """Until that holds on the host, five seconds at most."""
        self.sh(f"cd /; for n in $(seq 50); do ({text}) > /dev/null && exit 0; sleep 0.1; done; cat /run/stays; exit 1",
                *arguments, self.address)  # fmt: skip

    @contextmanager
    def clients(self) -> Iterator[list[str]]:
        """Log-ins all along; afterwards what each of them came to."""
        lines: list[str] = []
        self.sh('rm -f /run/clients.stop; nohup bash -c "$1" clients "$2" > /dev/null 2>&1 &', CLIENTS, self.address)
        try:
            yield lines
        finally:
            self.sh("touch /run/clients.stop; sleep 1")
            lines += self.sh("cat /run/clients").splitlines()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The project, deployed."""
    lab = lab_of_tests("test-rotation")
    try:
        lab.up([HOST])
        yield _deployed(new_project(tmp_path_factory.mktemp("project"), lab, HOST))
    finally:
        lab.down()


def _deployed(project: Project) -> Shop:
    for name in ("roles", "templates"):
        (project.path / name).symlink_to(ROOT / name)
    project.write("client.py", CLIENT)
    project.write("deploy.py", DEPLOY)
    data = {
        "secrets": "file:secrets.yaml",
        "redis": {"password": "cache_password", "maxmemory": "64mb"},
        "postgres": {
            "roles": [{"name": "shop", "password": "shop_password"}],
            "databases": [{"name": "shop", "owner": "shop"}],
            "hba": [{"databases": ["shop"], "roles": ["shop"], "address": f"{project.lab.address(HOST)}/32"}],
            "max_connections": 40,
        },
    }
    project.write("group_data/all.py", "".join(f"{name} = {value!r}\n" for name, value in data.items()))
    secrets = project.path / "secrets.yaml"
    secrets.touch(0o600)
    secrets.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in SECRETS.items()))
    # Both servers are installed: some seconds, minutes where the machine is busy.
    done = project.slipway_words("deploy", "all", seconds=400)
    assert done.returncode == 0, done.stderr + done.stdout
    return Shop(project)


def test_a_password_of_postgres_is_rotated_while_clients_log_in(shop: Shop) -> None:
    """Two logins take turns. As long as a session has the old one it is not revoked; then by the same command."""
    first = shop.source.get("shop_password").reveal()
    with shop.clients() as seen:
        # A session that nobody ends: what a client outside of the fleet would be.
        shop.stays('PGPASSWORD=$1 psql -w -h "$2" -U shop -d shop -c "SELECT pg_sleep(600)"', first)
        shop.until("runuser -u postgres -- psql -XAtqc 'SELECT query FROM pg_stat_activity' | grep 'pg_sleep(600)$'")
        done = shop.rotate("shop_password")
        assert done.returncode == 1, done.stderr
        assert "The old value is still in use, so it is not revoked" in done.stderr
        assert f"postgres on {HOST}: shop from {shop.address} by psql" in done.stderr
        second = shop.source.get("shop_password").reveal()
        assert shop.can_log_in("shop", first) and shop.can_log_in("shop__b", second), "both, until nobody needs it"
        shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'")
        done = shop.rotate("shop_password")
        assert done.returncode == 0, done.stderr
    assert [line for line in seen if not line.startswith("ok")] == []
    assert {"ok db shop", "ok db shop__b", "ok cache"} == set(seen)
    assert not shop.can_log_in("shop", first)
    assert shop.can_log_in("shop__b", second)
    shop.sh('PGPASSWORD=$1 psql -w -q -h "$2" -U shop__b -d shop -c "CREATE TABLE made (id int)"', second, shop.address)
    assert shop.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'made'") == "shop"
    text = 'PGPASSWORD=$1 psql -w -XAtq -h "$2" -U shop__b -d shop -c "DISCARD ALL" -c "SELECT current_user"'
    assert shop.sh(text, second, shop.address) == "shop", "a pool that resets its sessions has the role still"
    assert shop.project.slipway("plan").returncode == 0, "nothing is left to do"


@pytest.mark.sample("rotation", 1)
def test_a_rotation_that_was_killed_is_finished_by_the_same_command(shop: Shop) -> None:
    """Killed as each step has just been written, with its deploy; the other login has its turn."""
    before, old = shop.source.get("shop_password").reveal(), shop.login
    new = "shop" if old == "shop__b" else "shop__b"
    with shop.clients() as seen:
        for kind in ("next", "previous", "revoked"):
            _rotate_until(shop, f"shop_password.{kind}")
        done = shop.rotate("shop_password")
        assert done.returncode == 0, done.stderr
    assert [line for line in seen if not line.startswith("ok")] == []
    assert {line for line in seen if "db" in line} == {"ok db shop__b", "ok db shop"}
    assert shop.login == new
    assert not shop.can_log_in(old, before)
    assert shop.can_log_in(new, shop.source.get("shop_password").reveal())
    assert sorted(shop.source.entries) == ["cache_password", "shop_password", "shop_password.login"]
    assert shop.project.slipway("plan").returncode == 0


def _rotate_until(shop: Shop, entry: str) -> None:
    """Starts the command and kills it, with the deploy that it has begun, once the source has that entry."""
    running = shop.project.popen_words("secrets", "rotate", "all", "shop_password")
    deadline = time.monotonic() + 120  # a step takes seconds, on a busy machine a minute
    while entry not in shop.source.entries:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.02)
    time.sleep(1)  # somewhere in the deploy's own beginning, or in it
    for pid in (running.pid, *map(int, found)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.communicate()


@pytest.mark.sample("rotation", 1)
def test_a_password_of_redis_is_rotated_while_clients_log_in(shop: Shop) -> None:
    """It takes two by itself. A session from before is told of, and waited for."""
    first = shop.source.get("cache_password").reveal()
    process = shop.sh("pgrep -x redis-server")
    with shop.clients() as seen:
        shop.stays('REDISCLI_AUTH=$1 redis-cli --no-auth-warning -h "$2" BLPOP never 600', first)
        shop.until('REDISCLI_AUTH=$1 redis-cli --no-auth-warning -h "$2" CLIENT LIST | grep cmd=blpop', first)
        done = shop.rotate("cache_password")
        assert done.returncode == 1, done.stderr
        assert f"redis on {HOST}: default from {shop.address}:" in done.stderr
        second = shop.source.get("cache_password").reveal()
        assert shop.redis_takes(first) and shop.redis_takes(second)
        shop.sh("kill $(pgrep -f 'BLPOP [n]ever')")
        done = shop.rotate("cache_password")
        assert done.returncode == 0, done.stderr
    assert [line for line in seen if not line.startswith("ok")] == []
    assert seen.count("ok cache") > 5
    assert (shop.redis_takes(first), shop.redis_takes(second)) == (False, True)
    assert shop.sh("pgrep -x redis-server") == process, "no restart"
    assert "cache_password.previous" not in shop.source.entries
