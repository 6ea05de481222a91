"""One host with every role on it, and two versions of what it is to have: the smallest fleet that can lose everything.

`A` and `B` differ in something of each kind that Slipway manages, so that a deploy of the other one runs every kind of
operation; what it has beside them is the same, so that it can go back and forth between the two for ever.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from slipway.lab.hosts import hosts_named
from slipway.lab.inventory import connection_data
from slipway.lab.lab import Lab
from slipway.lab.state import write_private
from tests.faults.canaries import Prying, prying
from tests.faults.state import state

ROOT = Path(__file__).parents[2]
COPIED = ("roles", "templates", "stacks", "deploy.py", "config.py")
GROUPS = ("nginx", "workers", "postgres", "redis")
HOST = "worker1"
SITE = "demo.lab.test"
Version = Literal["A", "B"]
OTHER: Mapping[Version, Version] = {"A": "B", "B": "A"}

SECRETS = ("postgres_password", "redis_password", "session_key", "reports_postgres", "reports_redis")
"""Of the application, and of a user of each server besides."""

# The first deploy installs four servers and loads an image: a minute or two, ten on a machine with a load of eighty.
LONGEST_SECONDS = 1200


def secret_word(name: str) -> str:
    """A value that stands nowhere else in the world; with what breaks careless quoting, in shells, SQL and URLs."""
    return f"{name.replace('_', '')}{secrets.token_hex(16)}/+&'\" $x%"


def differing(version: Version) -> dict[str, Any]:
    """Role to its data, as far as the two versions differ."""
    is_b = version == "B"
    reports = {"name": "reports", "password": "reports_postgres", "connection_limit": 5 if is_b else 3}
    rotation = {"paths": ["/var/log/shop/*.log"], "keep": 9 if is_b else 7}
    return {
        "base": {
            "sysctl": {"net.ipv4.tcp_keepalive_time": 600 if is_b else 7200},
            "journald": {"system_max_use": "200M" if is_b else "500M"},
            "log_rotations": {"shop": rotation},
            "users": [{"name": "visitor", "comment": version, "sudo": [f"ALL=(ALL) NOPASSWD: /bin/echo {version}"]}],
            ("extra_packages" if is_b else "absent_packages"): ["tree"],
        },
        "docker": {"labels": [f"version={version}"], "log_max_file": 6 if is_b else 5},
        "postgres": {
            "memory_percent": 20,
            "roles": [{**reports, "settings": {"statement_timeout": "20s" if is_b else "30s"}}],
            "grants": [{"role": "reports", "database": "demo", "on": "database", "privileges": ["CONNECT"]}],
            "settings": {"work_mem": "5MB" if is_b else "6MB", "max_worker_processes": 9 if is_b else 8},
        },
        "redis": {
            "databases": 17 if is_b else 16,
            "timeout": 600 if is_b else 0,
            "users": [{"name": "reports", "password": "reports_redis", "keys": [f"{version}:*"]}],
        },
        "nginx": {
            "security_headers": {"X-House": version},
            "worker_connections": 2048 if is_b else 1024,
            "drain_seconds": 2,
            "close_seconds": 1,
            "https_redirect": False,
        },
        "app": {},
    }


@dataclass
class House:
    """A project over one lab host, and what the host was last brought to."""

    path: Path
    lab: Lab
    host: str = HOST
    secrets: dict[str, str] = field(default_factory=lambda: {name: secret_word(name) for name in SECRETS})
    output: str = ""
    """What the first deploy said."""
    calls_of_first: str = ""
    """Its remote calls, with all their words."""
    seen: Prying = field(default_factory=Prying)
    """What anybody could see on the host during it."""
    first: list[str] = field(default_factory=list)
    """What the host had after it."""

    def build(self) -> None:
        """Writes the project, its secrets and version A."""
        for name in COPIED:
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, self.path / name, ignore=ignore) if source.is_dir() else shutil.copy(
                source, self.path / name
            )
        entry = (self.host, connection_data(self.lab.layout, hosts_named([self.host])[0]))
        (self.path / "inventories").mkdir()
        self.write("inventories/house.py", "".join(f"{group} = {[entry]!r}\n" for group in GROUPS))
        self.write_secrets()
        self.choose("A")

    def first_deploy(self) -> None:
        """From bare, with nothing in its way; what somebody without rights saw meanwhile is kept."""
        with prying(self.lab, self.host, self.secrets) as seen:
            done = self.struck("before", 0)
            self.output, _ = done.communicate(timeout=LONGEST_SECONDS)
        assert done.returncode == 0, self.output
        self.calls_of_first = self.calls_log.read_text(encoding="utf-8")
        self.seen, self.first = seen, state(self.lab, self.host)

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def write_secrets(self) -> None:
        """The present values, into the project's source of secrets."""
        write_private(self.path / "secrets.yaml", yaml.safe_dump(self.secrets))

    def choose(self, version: Version, **more: Any) -> None:
        """The project says this version from now on. + more: role to further data"""
        from slipway.lab import upstream_dns

        data = differing(version)
        data["docker"]["dns"] = upstream_dns()
        tls = self.lab.layout.tls
        certificate = {"hosts": [SITE], "certificate": f"{tls}/server.crt", "key_file": f"{tls}/server.key"}
        data["nginx"]["certificates"] = [certificate]
        for role, fields in more.items():
            data[role] |= fields
        lines = [f"{role} = {fields!r}\n" for role, fields in data.items()]
        self.write("group_data/house.py", "".join(["stack = 'demo'\n", "secrets = 'file:secrets.yaml'\n", *lines]))
        self._write_stack(version)

    def break_release(self) -> None:
        """The project's release ends as soon as it starts."""
        with self.compose() as document:
            document["services"]["worker"]["command"] = ["python3", "-m", "demo", "nothing-of-that-name"]

    @contextmanager
    def compose(self) -> Iterator[dict[str, Any]]:
        """The Compose file as data, written back when the block ends."""
        file = self.path / "stacks/demo/compose.yaml"
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        yield document
        file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def _write_stack(self, version: Version) -> None:
        document = yaml.safe_load((ROOT / "stacks/demo/compose.yaml").read_text(encoding="utf-8"))
        services = document["services"]
        del services["ws"]
        for name in ("api", "worker", "scheduler"):
            services[name]["environment"]["HOUSE"] = version
            services[name]["deploy"]["replicas"] = 1
            services[name]["deploy"]["update_config"]["monitor"] = "1s"
            services[name]["healthcheck"]["interval"] = "10m"
            services[name]["x-slipway"]["timeout_seconds"] = 5
        # Seven hosts' worth of programs start on one, on a machine that is busy with others.
        services["api"]["x-slipway"]["ready"]["timeout_seconds"] = 150
        self.write("stacks/demo/compose.yaml", yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False))
        # Another image, for another migration.
        program = (ROOT / "stacks/demo/src/demo/__init__.py").read_text(encoding="utf-8")
        self.write("stacks/demo/src/demo/__init__.py", f"{program}# House {version}.\n")

    # --- running

    def slipway(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command over this project, as from a shell. + more: environment"""
        return self.ran([sys.executable, "-m", "slipway", *arguments], **more)

    def pyinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Plain pyinfra."""
        return self.ran(
            [str(Path(sys.executable).with_name("pyinfra")), "inventories/house.py", "deploy.py", *arguments]
        )

    def deploy(self) -> subprocess.CompletedProcess[str]:
        """A run that nothing interrupts; it must succeed."""
        done = self.slipway("deploy", "house")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def struck(self, when: str, number: int | str, how: str = "kill") -> subprocess.Popen[str]:
        """`deploy`, begun, by a controller that is struck at that remote call: see tests/faults/killed.py."""
        self.calls_log.unlink(missing_ok=True)
        words = ["-m", "tests.faults.killed", when, str(number), how, str(self.calls_log), "deploy", "house"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, *words], cwd=self.path, env=self.env(), text=True, **pipes)

    @property
    def calls_log(self) -> Path:
        return self.path / "calls.jsonl"

    def calls(self) -> list[dict[str, Any]]:
        """Every remote call of the last run that was watched: number, changes, words."""
        return [json.loads(line) for line in self.calls_log.read_text(encoding="utf-8").splitlines()]

    def ran(self, words: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.path, env=self.env(**more), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LONGEST_SECONDS, check=False,
        )  # fmt: skip

    def env(self, **more: str) -> dict[str, str]:
        path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        return {**os.environ, "PYTHONPATH": path, "PYINFRA_PROGRESS": "off", "COLUMNS": "160", **more}

    # --- the host, past Slipway

    def told(self, text: str, host: str = "") -> str:
        """What a script as root says; it must work."""
        done = self.lab.exec(host or self.host, ["bash", "-c", text])
        assert done.code == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def forget(self) -> None:
        """The host no longer knows what it knows of the version to come, so that bringing it takes every step again:
        its image, its migration, the release on record."""
        self.told(_FORGET)


_FORGET = r"""
set -eu
cd /
runuser -u postgres -- psql -XAtqd demo -c 'delete from slipway.migration'
in_use=$(docker ps -aq | xargs -r docker inspect --format '{{.Image}}' | sort -u)
docker images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | while read -r id ref; do
  case "$in_use" in *"$id"*) ;; *) docker image rm -f "$ref" > /dev/null ;; esac
done
cd /var/lib/slipway/releases
for record in *.json; do [ "$record" = "$(readlink current)" ] || rm -f -- "$record"; done
"""
