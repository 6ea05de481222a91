"""The role docker: bad data refused, daemon.json as it should be; on real hosts brought, kept, mended and pruned."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from roles.base import role as base
from roles.docker import role, verify
from roles.docker.daemon import daemon_options
from roles.docker.data import Docker
from roles.docker.tasks import package_names
from roles.firewall import role as firewall
from slipway.facts.docker_engine import Engine, EngineFact
from slipway.fleet import NOMINAL
from slipway.lab import upstream_dns
from slipway.render import render
from tests.roles.debians import HOSTS, MACHINES, NEW, OLD, Debians

ARMOURED = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit\n-----END PGP PUBLIC KEY BLOCK-----"


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"daemon_options": {"hosts": ["tcp://0.0.0.0:2375"]}}, "'hosts' cannot be set: the engine listens on its own"),
        ({"daemon_options": {"Live-Restore": True}}, "no option of daemon.json"),
        ({"log_max_size": "20 megabytes"}, "pattern"),
        ({"log_max_file": 0}, "greater than or equal to 1"),
        ({"default_address_pools": [{"base": "10.0.0.0/16", "size": 8}]}, "do not fit into"),
        ({"default_address_pools": [{"base": "10.0.0.0/40"}]}, "does not appear to be"),
        ({"dns": ["9.9.9"]}, "does not appear to be"),
        ({"metrics_addr": "0.0.0.0:9323"}, "name the private address"),
        ({"registry_mirrors": ["mirror.example.org"]}, "pattern"),
        ({"repository": "docker"}, "needs repository_key"),
        ({"repository": "docker-ce"}, "distribution"),
        ({"users": ["alice,bob"]}, "pattern"),
        ({"version": "26 && reboot"}, "pattern"),
        ({"live_restore": "yes"}, "valid boolean"),
        ({"prune": {"unneeded_hours": -1}}, "greater than or equal to 0"),
        ({"registry_mirors": []}, "Extra inputs"),
    ],
)
def test_bad_data_is_refused(declared: dict[str, Any], says: str) -> None:
    """What the engine would refuse, or what would open it to others, is told before anything is connected to."""
    with pytest.raises(ValidationError, match=says):
        Docker.model_validate(declared)


def test_what_is_not_said_is_left_to_the_engine() -> None:
    """Without data: logs that end, and containers that survive a restart of the engine; nothing else."""
    assert daemon_options(Docker()) == {
        "live-restore": True,
        "log-driver": "local",
        "log-level": "info",
        "log-opts": {"max-file": "5", "max-size": "20m"},
    }


def test_everything_that_is_said_has_dockers_name() -> None:
    """Each field comes out under the name and in the shape that daemon.json has for it."""
    data = Docker.model_validate(
        {
            "bip": "10.200.0.1/24",
            "default_address_pools": [{"base": "10.201.0.0/16", "size": 24}],
            "default_ulimits": {"nofile": 65536},
            "dns": ["9.9.9.9"],
            "insecure_registries": ["registry.internal:5000"],
            "log_driver": "journald",
            "log_opts": {"tag": "{{.Name}}"},
            "registry_mirrors": ["https://mirror.example.org"],
            "daemon_options": {"max-download-attempts": 3, "log-level": "warn"},
        }
    )
    options = daemon_options(data)
    assert options["default-address-pools"] == [{"base": "10.201.0.0/16", "size": 24}]
    assert options["default-ulimits"] == {"nofile": {"Name": "nofile", "Hard": 65536, "Soft": 65536}}
    assert options["log-opts"] == {"tag": "{{.Name}}"}, "journald keeps no files to rotate"
    assert options["log-level"] == "warn", "daemon_options win"
    assert (options["bip"], options["dns"], options["max-download-attempts"]) == ("10.200.0.1/24", ["9.9.9.9"], 3)


def test_packages_of_each_distribution() -> None:
    """Debian 13 split the client off; Debian 12 and Ubuntu have it in the engine's package."""
    assert "docker-cli" in package_names(Docker(), MACHINES[NEW])
    assert "docker-cli" not in package_names(Docker(), MACHINES[OLD])
    assert "docker-cli" not in package_names(Docker(), replace(NOMINAL, distribution="ubuntu", codename="noble"))
    ce = Docker(repository="docker", repository_key=ARMOURED)
    assert package_names(ce, NOMINAL)[:3] == ["docker-ce", "docker-ce-cli", "containerd.io"]


def test_dockers_own_repository_trusts_its_key_only() -> None:
    """The source names the distribution, its release and architecture, and the one key that may sign for it."""
    text = render(
        "docker/docker.sources.j2", url=Docker().repository_url, channel="stable", machine=NOMINAL, key_file="/k.asc"
    )
    lines = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines == {
        "Types": "deb",
        "URIs": "https://download.docker.com/linux/debian",
        "Suites": "trixie",
        "Components": "stable",
        "Architectures": "amd64",
        "Signed-By": "/k.asc",
    }


def test_what_only_a_restart_brings_is_told_from_what_a_reload_does() -> None:
    """Labels and mirrors need no restart; a log driver and a name server do; an unknown start is not guessed at."""
    engine = Engine(True, {"live-restore": True, "dns": ["9.9.9.9"], "log-driver": "local"})
    assert (
        engine.restart_for({"live-restore": False, "dns": ["9.9.9.9"], "log-driver": "local", "labels": ["a=b"]}) == []
    )
    assert engine.restart_for({"live-restore": True, "log-driver": "json-file"}) == ["dns", "log-driver"]
    assert Engine(True, None).restart_for({"dns": ["1.1.1.1"]}) == []
    assert EngineFact().process(["active", "{", '"dns": []', "}"]) == Engine(True, {"dns": []})
    assert EngineFact().process(["active", "no json"]) == Engine(True, None)


DATA: dict[str, Any] = {"dns": upstream_dns()}

IMAGES = """\
set -e
tar -chf - /usr/bin/sleep /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 2> /dev/null |
  docker import --change 'CMD ["/usr/bin/sleep", "1000000"]' - slipway/probe:base > /dev/null
"""
"""An image out of what a host has, for engines that reach no registry."""


@pytest.fixture(scope="module")
def engines(debians: Debians) -> Iterator[Debians]:
    """Both hosts with the engine, and a small image on each."""
    debians.bring(base, {})
    debians.bring(role, DATA)
    debians.both(IMAGES)
    yield debians
    debians.both("docker ps -aq | xargs -r docker rm -f > /dev/null; docker system prune -af > /dev/null")


@pytest.mark.hosts
def test_a_host_gets_its_engine_and_a_second_run_changes_nothing(engines: Debians) -> None:
    """The engine runs with its configuration, is held, and stays as it is."""
    engines.verify(role, verify, DATA)
    for host, outcome in engines.bring(role, DATA).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"


@pytest.mark.hosts
def test_hand_edits_are_told_and_undone(engines: Debians) -> None:
    """An edited daemon.json, a stopped and masked unit, a removed package, a stranger in the group: all are mended."""
    engines.both(
        """set -e
        echo '{"dns": ["192.0.2.1"], "log-driver": "json-file"}' > /etc/docker/daemon.json
        systemctl restart docker
        systemctl disable --now slipway-prune.timer 2> /dev/null
        echo exit 1 > /usr/local/sbin/slipway-prune
        apt-mark unhold docker.io > /dev/null
        usermod --append --groups docker daemon
        dpkg --remove --force-depends apparmor > /dev/null 2>&1
        """
    )
    engines.told(NEW, "systemctl stop docker.socket docker; systemctl mask docker 2> /dev/null")
    for host, outcome in engines.bring(role, DATA).items():
        planned = dict(line.split(": ", 1) for line in outcome.planned)
        assert planned["/etc/docker/daemon.json"] == "content"
        assert planned["slipway-prune.timer"] == "enable, start"
        assert planned["/usr/local/sbin/slipway-prune"] == "content"
        assert planned["package docker.io hold"] == "hold"
        assert planned["group docker"] == "members: none"
        assert planned["package apparmor"] == "install"
        expected = "unmask, enable, start" if host == NEW else "restart for dns, log-driver, log-level, log-opts"
        assert expected in planned["docker.service"], host
    engines.verify(role, verify, DATA)
    assert all(outcome.is_unchanged for outcome in engines.bring(role, DATA).values())


@pytest.mark.hosts
def test_a_reload_is_enough_for_labels(engines: Debians) -> None:
    """What the engine takes over while it runs does not restart it."""
    before = {host: engines.told(host, "systemctl show -P MainPID docker") for host in HOSTS}
    engines.bring(role, {**DATA, "labels": ["rack=7"]})
    for host in HOSTS:
        assert engines.told(host, "docker info --format '{{.Labels}}'") == "[rack=7]"
        assert engines.told(host, "systemctl show -P MainPID docker") == before[host]
    engines.bring(role, DATA)


@pytest.mark.hosts
def test_containers_survive_a_restart_of_the_engine(engines: Debians) -> None:
    """What needs a restart gets one, and the containers run on, even where the engine did not keep them so far."""
    engines.bring(role, {**DATA, "live_restore": False})
    engines.both("docker run -d --name survivor slipway/probe:base > /dev/null")
    of_engine = {host: engines.told(host, "systemctl show -P MainPID docker") for host in HOSTS}
    started = {host: engines.told(host, "docker inspect -f '{{.State.Pid}}' survivor") for host in HOSTS}
    declared = {**DATA, "default_ulimits": {"nofile": 4096}, "live_restore": True}
    engines.bring(role, declared)
    for host in HOSTS:
        assert engines.told(host, "systemctl show -P MainPID docker") != of_engine[host]
        assert engines.told(host, "docker inspect -f '{{.State.Pid}}' survivor") == started[host]
    engines.verify(role, verify, declared)
    engines.both("docker rm -f survivor > /dev/null")
    engines.bring(role, DATA)


@pytest.mark.hosts
def test_a_restart_that_a_dead_run_owed_is_paid(engines: Debians) -> None:
    """The file is in place, the restart never came: what the engine was started with tells."""
    wanted = {**DATA, "log_max_file": 7}
    text = json.dumps(daemon_options(Docker.model_validate(wanted)), indent=2, sort_keys=True)
    engines.both(f"cat > /etc/docker/daemon.json <<'END'\n{text}\nEND")
    for outcome in engines.bring(role, wanted).values():
        assert outcome.planned == ["docker.service: restart for log-opts"]
    engines.bring(role, DATA)


@pytest.mark.hosts
@pytest.mark.parametrize("options", [{"no-such-option": True}, {"log-opts": "all"}])
def test_a_configuration_that_the_engine_refuses_does_not_go_live(engines: Debians, options: dict[str, Any]) -> None:
    """The engine checks the file first; the old one stays and the engine runs on."""
    hosts = [NEW, *([OLD] if "no-such-option" in options else [])]
    outcomes = engines.try_to_bring(role, {**DATA, "daemon_options": options}, hosts)
    for host in hosts:
        assert "its check refuses the new one" in outcomes[host].error
    engines.verify(role, verify, DATA, hosts)
    assert all(outcome.is_unchanged for outcome in engines.bring(role, DATA, hosts).values())


@pytest.mark.hosts
def test_a_version_that_is_gone_is_told_with_those_there_are(engines: Debians) -> None:
    """The error names the version that is wanted and the versions that exist; the engine runs on."""
    outcome = engines.try_to_bring(role, {**DATA, "version": "19.03*"}, [OLD])[OLD]
    assert "docker.io: no version 19.03*; there are: 20.10" in outcome.error
    assert engines.bring(role, {**DATA, "version": "20.10*"}, [OLD])[OLD].is_unchanged


PUBLISHED = """\
set -e
tar -chf - /usr/bin/perl $(ldd /usr/bin/perl | grep -o '/[^ ]*') 2> /dev/null |
  docker import - slipway/probe:perl > /dev/null
docker run -d --name published -p 7003:7003 slipway/probe:perl /usr/bin/perl -e \
  'socket(S, 2, 1, 6); bind(S, pack("S n x12", 2, 7003)) or die $!; listen(S, 5); accept(C, S) while 1' > /dev/null
"""

CONNECT = 'socket(S, 2, 1, 6); alarm 2; connect(S, pack("S n C4 x8", 2, 7003, @ARGV)) or die $!'
"""A container of the host comes in as well; what is dropped would never answer."""


@pytest.mark.hosts
def test_published_ports_are_judged_by_the_firewall(engines: Debians) -> None:
    """Docker opens what it publishes to everybody; with the firewall only the fleet and the host's own come in."""
    engines.told(OLD, PUBLISHED)
    address = engines.lab.address(OLD)
    reaches = f"timeout 2 bash -c 'exec 3<> /dev/tcp/{address}/7003'"  # what is dropped never answers
    assert _anybody_reaches(address, 7003)
    docker = "iptables-save | grep -v '^#' | sed 's/ *[[][0-9:]*[]]//'"
    rules = engines.told(OLD, docker)
    engines.bring(firewall, {"enabled": True}, [OLD])
    assert not _anybody_reaches(address, 7003)
    assert engines.shell(NEW, reaches).code == 0, "a member of the fleet"
    assert engines.shell(OLD, reaches).code == 0, "the host itself"
    engines.told(OLD, f"docker run --rm slipway/probe:perl /usr/bin/perl -e '{CONNECT}' {address.replace('.', ' ')}")
    engines.bring(firewall, {"enabled": True, "public_ports": [7003]}, [OLD])
    assert _anybody_reaches(address, 7003)
    engines.bring(firewall, {}, [OLD])
    assert engines.told(OLD, docker) == rules, "Docker's own rules are as they were"
    engines.told(OLD, "docker rm -f published; docker rmi slipway/probe:perl")


def _anybody_reaches(address: str, port: int) -> bool:
    """Whether one that is no member of the fleet, as this machine, gets a connection."""
    try:
        with socket.create_connection((address, port), timeout=2):  # what is dropped never answers
            return True
    except OSError:
        return False


PRUNE = """\
set -e
for name in kept dropped young used labelled recorded; do
  printf 'FROM slipway/probe:base\\nLABEL which=%s\\n' $name | docker build -q -t slipway/app:$name - > /dev/null
done
printf 'FROM slipway/probe:base\\nLABEL which=l slipway.keep=yes\\n' |
  docker build -q -t slipway/app:labelled - > /dev/null
printf 'FROM slipway/probe:base\\nLABEL which=foreign\\n' | docker build -q -t foreign/app:1 - > /dev/null
printf 'FROM slipway/probe:base\\nLABEL which=byid\\n' | docker build -q -t registry.internal/app:1 - > /dev/null
printf 'FROM slipway/probe:base\\nLABEL which=nameless\\n' | docker build -q - > /dev/null
docker run -d --name used --label slipway.stack=demo slipway/app:used > /dev/null
docker create --name gone --label slipway.stack=demo slipway/app:used > /dev/null
docker create --name of-a-rollout-previous --label slipway.stack=demo slipway/app:used > /dev/null
docker create --name strangers slipway/app:used > /dev/null
mkdir -p /var/lib/slipway/releases
printf '{"id": "r1", "images": ["slipway/app:kept", "slipway/probe:base", "%s"]}\\n' \
  "$(docker image inspect -f '{{.Id}}' registry.internal/app:1)" > /var/lib/slipway/releases/r1.json
"""


@pytest.mark.hosts
def test_prune_takes_what_nobody_needs_and_nothing_else(engines: Debians) -> None:
    """Images that a kept release, a container or a label needs stay, others' too; the rest goes in its time."""
    engines.both(PRUNE)
    names = "docker image ls --format '{{.Repository}}:{{.Tag}}' | sort"
    for host in HOSTS:
        before = engines.told(host, names)
        engines.told(host, "systemctl start slipway-prune.service")
        assert engines.told(host, names) == before, "nothing is old enough yet"

        engines.told(host, "slipway-prune 0")
        assert engines.told(host, names).splitlines() == [
            "foreign/app:1",
            "registry.internal/app:1",
            "slipway/app:kept",
            "slipway/app:labelled",
            "slipway/app:used",
            "slipway/probe:base",
        ]
        assert engines.told(host, "docker ps -a --format '{{.Names}}' | sort").split() == [
            "of-a-rollout-previous",
            "strangers",
            "used",
        ]

        # A release that is kept no longer gives its images free, those from a registry too.
        engines.told(host, "rm /var/lib/slipway/releases/r1.json; docker rm -f used strangers > /dev/null")
        engines.told(host, "docker rm -f of-a-rollout-previous > /dev/null; slipway-prune 0")
        assert engines.told(host, names).splitlines() == ["foreign/app:1", "slipway/app:labelled"]
        assert engines.told(host, "ls /var/lib/slipway/prune/unneeded") == ""
    engines.both("docker rmi -f $(docker images -q) > /dev/null; true")
    engines.both(IMAGES)
