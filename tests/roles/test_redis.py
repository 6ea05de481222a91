"""The role redis: bad data refused, files as they should be; on real hosts brought, kept and mended without loss."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from roles.base import role as base
from roles.redis import role, verify
from roles.redis.config import memory_bytes, redis_conf, replica_conf, users_acl
from roles.redis.data import Redis
from roles.redis.derive import derive, save_points
from slipway.compose.model import NativeService, Stack
from slipway.compose.parts import Port, SecretRef
from slipway.context import Context
from slipway.facts.redis import RedisFact
from slipway.fleet import Fleet, Member
from slipway.secrets import Secrets
from tests.roles.debians import HOSTS, NEW, OLD, Debians

PASSWORD = "canary-9c1f pass'word\"$x"
SECRETS = {"redis": PASSWORD, "reader": "canary-77aa"}


def context(**differences: Any) -> Context:
    member = Member("cache1", "10.0.0.5", ("redis",))
    fleet = Fleet("test", (member, Member("cache2", "10.0.0.6", ("redis",))))
    return replace(Context(member, fleet, Secrets("test", SECRETS.get)), **differences)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({}, "there is no password"),
        ({"password": "redis", "settings": {"maxmemory": "1gb"}}, "'maxmemory' does not belong here: maxmemory"),
        ({"password": "redis", "settings": {"requirepass": "x"}}, "'requirepass' does not belong here: password"),
        ({"password": "redis", "settings": {"loadmodule": "/tmp/x.so"}}, "a module is code"),
        ({"password": "redis", "settings": {"hz": "10\nrequirepass x"}}, "must be one line"),
        ({"password": "redis", "maxmemory": "lots"}, "pattern"),
        ({"password": "redis", "maxmemory_policy": "lru"}, "noeviction"),
        ({"password": "redis", "save": ["900"]}, "pattern"),
        ({"password": "redis", "bind": ["localhost"]}, "does not appear to be"),
        ({"password": "redis", "port": 0}, "greater than or equal to 1"),
        ({"password": "redis", "users": [{"name": "default", "password": "reader"}]}, "is taken"),
        ({"password": "redis", "users": [{"name": "a b", "password": "reader"}]}, "pattern"),
        ({"password": "redis", "users": [{"name": "a", "password": "reader", "keys": ["a b +@all"]}]}, "pattern"),
        ({"password": "redis", "users": [{"name": "a", "password": "reader", "commands": ["nopass"]}]}, "pattern"),
        ({"protected_mode": False, "disabled_commands": ["KEYS"]}, "disabled_commands needs a password"),
        ({"password": "redis", "appendonly": "yes"}, "valid boolean"),
    ],
)
def test_bad_data_is_refused(declared: dict[str, Any], says: str) -> None:
    """What Redis would refuse, or what would open it to others, is told before anything is connected to."""
    with pytest.raises(ValidationError, match=says):
        Redis.model_validate(declared)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("0", 0), ("512mb", 512 * 2**20), ("2gb", 2 * 2**30), ("2G", 2 * 10**9), ("100", 100), ("50%", 1024 * 2**20)],
)
def test_memory_is_told_in_bytes(text: str, bytes_: int) -> None:
    """Redis's own units, and a percentage of what the host has."""
    assert memory_bytes(text, 2048) == bytes_


def test_it_listens_on_the_private_address_and_loopback_only() -> None:
    """Nobody is let in from elsewhere because nobody said where to listen."""
    lines = redis_conf(Redis(password="redis"), context()).splitlines()
    assert "bind 10.0.0.5 127.0.0.1" in lines
    assert "aclfile /etc/redis/users.acl" in lines
    assert not any(PASSWORD in line or "requirepass" in line for line in lines)


def test_passwords_stand_as_hashes_and_denied_commands_come_last() -> None:
    """The ACL file tells nobody a password, and no user's rules outweigh what is disabled for all."""
    data = Redis.model_validate(
        {
            "password": "redis",
            "disabled_commands": ["FLUSHALL", "CONFIG|SET"],
            "users": [{"name": "reader", "password": "reader", "keys": ["app:*"], "commands": ["+@read"]}],
        }
    )
    hashed = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in SECRETS.items()}
    assert users_acl(data, context()).splitlines() == [
        f"user default on #{hashed['redis']} ~* &* +@all -flushall -config|set",
        f"user reader on #{hashed['reader']} ~app:* +@read -flushall -config|set",
    ]


@pytest.mark.parametrize("kind", ["next", "previous"])
def test_both_versions_of_a_password_are_taken_while_it_is_rotated(kind: str) -> None:
    """`default` and other users alike: the present one first, the other one after it."""
    held = {**SECRETS, f"redis.{kind}": "another", f"reader.{kind}": "other"}
    ctx = context(secrets=Secrets("test", held.get, tuple(held)))
    data = Redis.model_validate({"password": "redis", "users": [{"name": "reader", "password": "reader"}]})
    hashed = [hashlib.sha256(text.encode()).hexdigest() for text in (PASSWORD, "another", "canary-77aa", "other")]
    assert users_acl(data, ctx).splitlines() == [
        f"user default on #{hashed[0]} #{hashed[1]} ~* &* +@all",
        f"user reader on #{hashed[2]} #{hashed[3]} ~* +@all -@dangerous",
    ]


def test_who_does_not_say_who_he_is_gets_nothing_where_there_are_users() -> None:
    """Without a password of its own the user `default` is off as soon as there are others."""
    data = Redis.model_validate({"users": [{"name": "reader", "password": "reader"}]})
    assert users_acl(data, context()).splitlines()[0] == "user default off"


def test_a_replica_finds_its_primary_by_name() -> None:
    """A member's name becomes its private address; the file with the password shows itself to nobody."""
    secret = replica_conf(Redis(password="redis", replicaof="cache2"), context())
    assert PASSWORD not in f"{secret} {secret!r}"
    assert secret.reveal().splitlines()[1:] == [
        "replicaof 10.0.0.6 6379",
        'masterauth "canary-9c1f pass\'word\\"$x"',
    ]


def test_a_compose_service_becomes_data() -> None:
    """Settings of its command line, its port and its secret are taken over; what has no field stays a setting."""
    native = NativeService(
        name="cache",
        kind="redis",
        image="redis:7",
        group="redis",
        ports=(Port(published=6380, target=6379),),
        settings={"appendonly": "yes", "maxmemory": "2gb", "save": "900 1 300 10", "hz": "50", "databases": "4"},
        password=SecretRef(name="redis_password", kind="slipway", source="redis"),
    )
    stack = Stack(name="demo", directory=Path("/"), native={"cache": native})
    assert derive(context(stack=stack)) == {
        "appendonly": True,
        "maxmemory": "2gb",
        "save": ["900 1", "300 10"],
        "databases": 4,
        "settings": {"hz": "50"},
        "port": 6380,
        "password": "redis",
    }
    assert derive(context(stack=Stack(name="demo", directory=Path("/")))) == {}
    Redis.model_validate(derive(context(stack=stack)))


@pytest.mark.parametrize(("text", "points"), [("", []), ('""', []), ("60 1", ["60 1"]), ("60 1 5 9", ["60 1", "5 9"])])
def test_save_points_are_pairs(text: str, points: list[str]) -> None:
    """An empty word means that nothing is saved."""
    assert save_points(text) == points


def test_drift_is_what_runs_otherwise_than_the_file_comes_to() -> None:
    """Only settings that both know are compared, in Redis's own words."""
    said = ["active", "learnt 4f2c", "wanted maxmemory 100", "wanted save ", "wanted gone x", "answers"]
    found = RedisFact().process([*said, "running maxmemory 200", "running save ", "known acl"])
    assert found.drift == {"maxmemory": ("200", "100")}
    assert (found.is_active, found.answers, found.learnt_from, found.acl_differs) == (True, True, "4f2c", False)


DATA: dict[str, Any] = {"password": "redis", "maxmemory": "64mb", "appendonly": False, "save": ["3600 1"]}


@pytest.mark.parametrize(
    ("section", "said", "told"),
    [
        ("persistence", {"loading": "1"}, "still loading its data"),
        ("persistence", {"rdb_last_bgsave_status": "err"}, "MISCONF"),
        ("persistence", {"aof_last_write_status": "err"}, "append-only file cannot be written"),
        ("memory", {"used_memory": "100", "maxmemory": "100"}, "Redis is full"),
    ],
)
def test_a_redis_that_takes_no_writes_is_told_in_words(section: str, said: dict[str, str], told: str) -> None:
    """Loading, unable to save, or full: what is wrong with it, not only that something is."""
    info = {
        "persistence": {"loading": "0", "rdb_last_bgsave_status": "ok", "aof_last_write_status": "ok"},
        "memory": {"used_memory": "1", "maxmemory": "100", "used_memory_human": "1B", "maxmemory_human": "100B"},
    }
    info[section] |= said

    class Host:
        def check_output(self, command: str, asked: str) -> str:
            return "".join(f"{key}:{value}\r\n" for key, value in info[asked].items())

    with pytest.raises(AssertionError, match=told):
        verify.check_it_can_take_writes(Host(), Redis(password="p"), context())


@pytest.fixture(scope="module")
def caches(debians: Debians) -> Iterator[Debians]:
    """Both hosts with Redis: 8.0 on Debian 13, 7.0 on Debian 12."""
    debians.secrets.update(SECRETS)
    debians.bring(base, {"users": []})
    debians.bring(role, DATA)
    yield debians


def ask(debians: Debians, host: str, *words: str, password: str = PASSWORD, user: str = "default") -> str:
    """What Redis says to a client on the private address."""
    command = ["redis-cli", "-h", debians.lab.address(host), "--no-auth-warning", "--user", user, "--pass", password]
    result = debians.lab.exec(host, [*command, *words])
    return (result.stdout + result.stderr).strip()


def run_id(debians: Debians, host: str) -> str:
    """Names the running process: another one after every restart."""
    info = ask(debians, host, "INFO", "server").replace("\r", "").splitlines()
    return next(line for line in info if line.startswith("run_id:"))


@pytest.mark.hosts
def test_a_host_gets_its_redis_and_a_second_run_changes_nothing(caches: Debians) -> None:
    """It answers on the private address, with the password only, and stays as it is."""
    caches.verify(role, verify, DATA)
    for host in HOSTS:
        assert ask(caches, host, "PING") == "PONG"
    for host, outcome in caches.bring(role, DATA).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"


@pytest.mark.hosts
def test_no_plain_password_is_left_on_the_host(caches: Debians) -> None:
    """Neither a file, nor an argument, nor the environment of a process holds it."""
    search = (
        f"grep -rlsF -- '{PASSWORD[:11]}' /etc /var /run /tmp /root /home /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
    )
    for host in HOSTS:
        found = [p for p in caches.shell(host, search).stdout.split() if "/self/" not in p]
        # The search itself has the word among its arguments.
        assert [path for path in found if not path.startswith("/proc/")] == []


@pytest.mark.hosts
def test_hand_edits_are_told_and_undone_without_a_restart(caches: Debians) -> None:
    """Edited files, settings and users changed while it ran, a loosened directory: mended; the process is the same."""
    before = {host: run_id(caches, host) for host in HOSTS}
    for host in HOSTS:
        for words in (
            ["CONFIG", "SET", "maxmemory", "1mb"],
            ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
            ["CONFIG", "SET", "save", ""],
            ["CONFIG", "SET", "slowlog-max-len", "7"],
            ["ACL", "SETUSER", "mallory", "on", "nopass", "~*", "+@all"],
        ):
            assert ask(caches, host, *words) == "OK"
        assert "Permission denied" in ask(caches, host, "CONFIG", "REWRITE"), "Redis cannot write its own file"
    caches.both("echo 'maxclients 7' >> /etc/redis/redis.conf; chmod 644 /etc/redis/users.acl; chmod 777 /etc/redis")
    told = {"redis maxmemory", "redis maxmemory-policy", "redis save", "redis slowlog-max-len"}
    told |= {"/etc/redis/redis.conf", "/etc/redis/users.acl", "/etc/redis"}
    for host, outcome in caches.bring(role, DATA).items():
        assert told <= {line.split(": ")[0] for line in outcome.planned}, host
        assert run_id(caches, host) == before[host], "all of it can be set while it runs"
        assert "mallory" not in ask(caches, host, "ACL", "LIST")
    caches.verify(role, verify, DATA)
    assert all(outcome.is_unchanged for outcome in caches.bring(role, DATA).values())


@pytest.mark.hosts
def test_a_stopped_masked_or_removed_redis_comes_back(caches: Debians) -> None:
    """Its data too."""
    for host in HOSTS:
        assert ask(caches, host, "SET", "kept", "yes") == "OK"
    caches.told(NEW, "systemctl stop redis-server; systemctl mask redis-server 2> /dev/null")
    caches.told(OLD, "apt-get remove -y -q --allow-change-held-packages redis-server > /dev/null 2>&1")
    caches.bring(role, DATA)
    caches.verify(role, verify, DATA)
    for host in HOSTS:
        assert ask(caches, host, "GET", "kept") == "yes"
    assert all(outcome.is_unchanged for outcome in caches.bring(role, DATA).values())


@pytest.mark.hosts
def test_a_configuration_that_redis_refuses_does_not_go_live(caches: Debians) -> None:
    """It is tried by a Redis of its own; the old file stays, the running one serves on, no trial is left."""
    before = {host: run_id(caches, host) for host in HOSTS}
    for settings, says in (({"no-such-setting": "1"}, "no-such-setting"), ({"hz": "fast"}, "hz fast")):
        for outcome in caches.try_to_bring(role, {**DATA, "settings": settings}).values():
            assert "its check refuses the new one" in outcome.error
            assert says in outcome.error
    user = {"name": "app", "password": "reader", "commands": ["+nosuchcommand"]}
    for outcome in caches.try_to_bring(role, {**DATA, "users": [user]}).values():
        assert "users.acl was left as it is" in outcome.error
    for host in HOSTS:
        assert run_id(caches, host) == before[host]
        assert caches.told(host, "ls -d /run/slipway-redis.* 2>/dev/null; pgrep -c redis-server") == "1"
    assert all(outcome.is_unchanged for outcome in caches.bring(role, DATA).values())


@pytest.mark.hosts
def test_a_rotated_password_is_taken_over_while_it_runs(caches: Debians) -> None:
    """The new one works, the old one does not, and the process is the same."""
    before = {host: run_id(caches, host) for host in HOSTS}
    caches.secrets["redis"] = "canary-second"
    try:
        caches.bring(role, DATA)
        for host in HOSTS:
            assert ask(caches, host, "PING", password="canary-second") == "PONG"
            assert "PONG" not in ask(caches, host, "PING")
    finally:
        caches.secrets["redis"] = PASSWORD
        caches.bring(role, DATA)
    assert {host: run_id(caches, host) for host in HOSTS} == before


@pytest.mark.hosts
def test_users_may_do_what_they_may_and_no_more(caches: Debians) -> None:
    """A user reads his keys and no others; a command that is disabled is so for everybody."""
    user = {"name": "reader", "password": "reader", "keys": ["app:*"], "commands": ["+@read"]}
    declared = {**DATA, "users": [user], "disabled_commands": ["FLUSHALL"]}
    caches.bring(role, declared)
    for host in HOSTS:
        assert ask(caches, host, "SET", "app:1", "x") == "OK"
        assert ask(caches, host, "GET", "app:1", user="reader", password="canary-77aa") == "x"
        assert "NOPERM" in ask(caches, host, "GET", "other", user="reader", password="canary-77aa")
        assert "NOPERM" in ask(caches, host, "SET", "app:1", "y", user="reader", password="canary-77aa")
        assert "NOPERM" in ask(caches, host, "FLUSHALL")
    caches.verify(role, verify, declared)
    assert all(outcome.is_unchanged for outcome in caches.bring(role, declared).values())
    caches.bring(role, DATA)


@pytest.mark.hosts
def test_data_outlives_a_change_that_needs_a_restart(caches: Debians) -> None:
    """An append-only file and fewer databases at once: the file is written first, then Redis restarts."""
    before = {host: run_id(caches, host) for host in HOSTS}
    for host in HOSTS:
        assert ask(caches, host, "SET", "only-in-memory", "yes") == "OK"
    declared = {**DATA, "appendonly": True, "databases": 4, "save": []}
    caches.bring(role, declared)
    caches.verify(role, verify, declared)
    for host in HOSTS:
        assert run_id(caches, host) != before[host], "the number of databases cannot be set while it runs"
        assert ask(caches, host, "GET", "only-in-memory") == "yes"
    assert all(outcome.is_unchanged for outcome in caches.bring(role, declared).values())
    caches.bring(role, DATA)


@pytest.mark.hosts
def test_an_append_only_file_wanted_while_it_is_down_starts_with_what_was_saved(caches: Debians) -> None:
    """Redis itself would start empty and save that over the data."""
    for host in HOSTS:
        assert ask(caches, host, "SET", "saved", "yes") == "OK"
        assert ask(caches, host, "SAVE") == "OK"
    caches.both("systemctl stop redis-server; rm -rf /var/lib/redis/appendonlydir")
    declared = {**DATA, "appendonly": True}
    caches.bring(role, declared)
    for host in HOSTS:
        assert ask(caches, host, "GET", "saved") == "yes"
    caches.verify(role, verify, declared)
    caches.bring(role, DATA)


@pytest.mark.hosts
def test_a_redis_that_was_there_before_is_taken_over_with_its_data(caches: Debians) -> None:
    """As the distribution sets it up, without a password, with data in memory only: its data is there afterwards."""
    for host in HOSTS:
        caches.told(
            host,
            """set -e
            systemctl stop redis-server
            apt-get purge -y -q --allow-change-held-packages redis-server redis-tools > /dev/null 2>&1
            rm -rf /var/lib/redis /etc/redis /etc/systemd/system/redis-server.service.d /var/lib/slipway/redis
            rm -f /var/lib/slipway/secrets/redis-admin
            DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server > /dev/null 2>&1
            until redis-cli ping 2> /dev/null | grep -q PONG; do sleep 0.2; done
            redis-cli SET from-before yes > /dev/null
            """,
        )
    declared = {**DATA, "appendonly": True}
    caches.bring(role, declared)
    caches.verify(role, verify, declared)
    for host in HOSTS:
        assert ask(caches, host, "GET", "from-before") == "yes"
    for host, outcome in caches.bring(role, declared).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
    caches.bring(role, DATA)


@pytest.mark.hosts
def test_a_replica_follows_its_primary(caches: Debians) -> None:
    """The newer follows the older (an older Redis cannot read a newer one's data), and can be set free again."""
    declared = {**DATA, "replicaof": OLD}
    caches.bring(role, declared, [NEW])
    assert ask(caches, OLD, "SET", "replicated", "yes") == "OK"
    assert ask(caches, OLD, "WAIT", "1", "10000") == "1"
    assert ask(caches, NEW, "GET", "replicated") == "yes"
    caches.verify(role, verify, declared, [NEW])
    assert caches.bring(role, declared, [NEW])[NEW].is_unchanged
    caches.bring(role, DATA, [NEW])
    caches.verify(role, verify, DATA, [NEW])


@pytest.mark.hosts
def test_a_full_redis_is_told_by_verify(caches: Debians) -> None:
    """At maxmemory without eviction writes are refused: verify says so, in words."""
    declared = {**DATA, "maxmemory": "3mb"}
    caches.bring(role, declared, [NEW])
    ask(caches, NEW, "SET", "big", "x")
    ask(caches, NEW, "SETRANGE", "big", "2500000", "x")
    ask(caches, NEW, "SETRANGE", "big2", "2500000", "x")
    with pytest.raises(AssertionError, match="Redis is full"):
        caches.verify(role, verify, declared, [NEW])
    ask(caches, NEW, "DEL", "big", "big2")
    caches.bring(role, DATA, [NEW])
