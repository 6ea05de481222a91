"""What belongs to a release on real hosts: image, secrets, schema, record, proof; then a whole small application."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from pyinfra import host as current_host

import roles.app
from roles.app import verify, verify_record
from slipway.compose import load
from slipway.container import ContainerSpec, Mount
from slipway.context import Context
from slipway.facts.releases import ReleaseRecords, ReleasesFact
from slipway.fleet import Fleet, Member
from slipway.images import Build, ensure_built, image_name
from slipway.lab.lab import Lab
from slipway.ops import containers, edges, images, migrations, releases, secret_files
from slipway.ops.secret_files import SecretDirectory, SecretFile
from slipway.recorded import entry
from slipway.release import Origin, release_of
from slipway.secrets import Secret, Secrets
from tests.labs import lab_of_tests
from tests.roles import app_hosts as shop
from tests.roles.convergence import Outcome, converge

pytestmark = [pytest.mark.hosts, pytest.mark.docker]

HOSTS = ["worker1", "worker2"]
HOST = "worker1"
CANARY = "canary-3f9a-of-the-shop"
WHO = Origin("ops@desk", "abcdef123456")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two workers with Docker."""
    lab = lab_of_tests("app")
    booted = lab.up(HOSTS)
    for host in HOSTS:
        shop.prepare(lab, host)
    yield lab
    _remove_built_images()
    if booted:  # one that was up stays up
        lab.down()


def _remove_built_images() -> None:
    """This machine's engine keeps nothing of the test's own image."""
    built = subprocess.run(["docker", "image", "ls", "-q", "slipway/shop"], capture_output=True, text=True, check=True)
    if built.stdout:
        subprocess.run(["docker", "image", "rm", "-f", *set(built.stdout.split())], capture_output=True, check=True)


@pytest.fixture(autouse=True)
def cleared(lab: Lab) -> None:
    for host in HOSTS:
        shop.clear(lab, host)
        shop.shell(lab, host, "docker image ls -q slipway/shop | sort -u | xargs -r docker image rm -f")


@pytest.fixture
def source(tmp_path: Path, lab: Lab) -> Path:
    """A directory with a Dockerfile of a static program that serves."""
    root = tmp_path / "source"
    (root / "bin").mkdir(parents=True)
    container = lab.layout.container("worker2")
    subprocess.run(["docker", "cp", f"{container}:/bin/busybox", str(root / "bin/busybox")], check=True)
    for name in ("sh", "cat", "mkdir", "sleep", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "Dockerfile").write_text("FROM scratch\nCOPY bin /bin\n")
    return root


def on(lab: Lab, host: str, task: Callable[[], Any]) -> Outcome:
    return converge(lab, [host], lambda name: task())[host]


# --- images


def test_an_image_is_built_once_and_brought_only_where_it_is_missing(lab: Lab, source: Path) -> None:
    """Both hosts have the very image of the controller; a second run changes nothing."""
    (source / "unique").write_text(str(source))
    build = Build(source)

    def tasks(name: str) -> None:
        images.present(name="Bring the image", stack="shop", ref=image_name("shop", build), build=build)

    for outcome in converge(lab, HOSTS, tasks).values():
        assert outcome.error == "" and outcome.changed == ["Bring the image"]
    image = ensure_built("shop", build)
    assert not image.was_built
    for host in HOSTS:
        assert shop.shell(lab, host, f"docker image inspect -f '{{{{.Id}}}}' {image.ref}") == image.image_id
    assert all(outcome.is_unchanged for outcome in converge(lab, HOSTS, tasks).values())


def test_an_image_that_arrives_changed_is_refused(lab: Lab, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was loaded is compared with what was meant: expected and found are named, nothing stays."""
    good = Build(source)
    meant = ensure_built("shop", good)
    (source / "evil").write_text("x")
    other = ensure_built("shop", good)
    (source / "evil").unlink()
    swapped = subprocess.run(["docker", "image", "inspect", "-f", "{{.Id}}", other.ref], capture_output=True, text=True)
    original = images.pack

    def lying(ref: str, held: Any) -> Iterator[bytes]:
        subprocess.run(["docker", "tag", other.ref, meant.ref], check=True)
        yield from original(ref, ())
        subprocess.run(["docker", "tag", meant.image_id, meant.ref], check=True)

    monkeypatch.setattr(images, "pack", lying)
    outcome = on(lab, HOST, lambda: images.present(name="Bring", stack="shop", ref=meant.ref, build=good))
    assert swapped.stdout.strip() in outcome.error and meant.image_id in outcome.error
    assert meant.ref not in shop.shell(lab, HOST, "docker image ls --format '{{.Repository}}:{{.Tag}}'").split()


def test_a_build_that_fails_is_told_in_its_own_words(lab: Lab, source: Path) -> None:
    """The last lines of the build are in the error, and the host has been left alone."""
    (source / "Dockerfile").write_text("FROM scratch\nCOPY nothing-like-that /\n")
    build = Build(source)
    task = lambda: images.present(name="Bring", stack="shop", ref=image_name("shop", build), build=build)  # noqa: E731
    assert "nothing-like-that" in on(lab, HOST, task).error


# --- secrets


def directory(value: str = CANARY, mode: int = 0o400) -> SecretDirectory:
    return SecretDirectory("shop-web-v1", (SecretFile("run/key", Secret(value), mode, 1234, 1234),))


@pytest.mark.parametrize("host", HOSTS)
def test_secrets_are_for_their_service_alone(lab: Lab, host: str) -> None:
    """The file has its owner and mode; another user of the host cannot even see it; a second run changes nothing."""
    task = lambda: secret_files.present(name="Write", stack="shop", directories=[directory()])  # noqa: E731
    assert on(lab, host, task).error == ""
    path = directory().path() + "/run/key"
    assert shop.shell(lab, host, f"stat -c '%a %u %g' {path}; cat {path}") == f"400 1234 1234\n{CANARY}"
    assert lab.exec(host, ["runuser", "-u", "ops", "--", "ls", "/var/lib/slipway/secrets"]).code != 0
    assert on(lab, host, task).is_unchanged


@pytest.mark.parametrize(
    "damage", ["echo x > {}", "chmod 644 {}", "chown root {}", "rm {}", "chmod 755 /var/lib/slipway/secrets"]
)
def test_a_secret_that_was_touched_is_put_right_in_place(lab: Lab, damage: str) -> None:
    """Content, mode and owner come back, in the directory that containers have mounted; the value is in no message."""
    task = lambda: secret_files.present(name="Write", stack="shop", directories=[directory()])  # noqa: E731
    on(lab, HOST, task)
    inode = shop.shell(lab, HOST, f"stat -c %i {directory().path()}/run")
    shop.shell(lab, HOST, damage.format(directory().path() + "/run/key"))
    outcome = on(lab, HOST, task)
    assert outcome.error == "" and len(outcome.planned) == 1 and CANARY not in repr(outcome)
    assert shop.shell(lab, HOST, f"stat -c %i {directory().path()}/run") == inode
    assert on(lab, HOST, task).is_unchanged


def test_a_container_reads_its_secret_and_nobody_else_does(lab: Lab) -> None:
    """It is a file in the container of its user; `docker inspect` and the process list know nothing of it."""
    command = shop.SERVES.replace("echo $SLIPWAY_RELEASE", "cat /run/secrets/key").replace("/www", "/tmp/www")
    mount = Mount("bind", "/run/secrets", directory().path() + "/run", read_only=True)
    spec = shop.spec(lab, HOST, command=command, user="1234:1234", mounts=(mount,), tmpfs=("/tmp",))

    def task() -> None:
        containers.network(name="Network", stack="shop")
        secret_files.present(name="Write", stack="shop", directories=[directory()])
        containers.started(name="Run", stack="shop", wanted=[containers.Replica(spec)])

    assert on(lab, HOST, task).error == ""
    assert shop.answer(lab, HOST) == CANARY
    assert CANARY not in json.dumps(shop.inspect(lab, HOST))
    everything = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    assert CANARY not in shop.shell(lab, HOST, everything)
    readable = (
        f"find / -xdev -type f -perm -o=r -newermt '-10 minutes' -exec grep -l {CANARY[:-1]}[p] {{}} + 2>/dev/null"
    )
    assert lab.exec(HOST, ["runuser", "-u", "ops", "--", "sh", "-c", readable]).stdout == ""


# --- schema


def job(lab: Lab, command: str) -> ContainerSpec:
    return dataclasses.replace(shop.spec(lab, HOST, command=command), replica=0, serves=())


def migrate(lab: Lab, command: str, key: str = "k1", seconds: float = 20, check: tuple[str, ...] = ()) -> Outcome:
    def task() -> None:
        containers.network(name="Network", stack="shop")
        migrations.done(name="Migrate", spec=job(lab, command), key=key, seconds=seconds, check=check)

    return on(lab, HOST, task)


def test_a_migration_runs_once(lab: Lab) -> None:
    """Done and noted; the next run does not run it again; another key does."""
    assert migrate(lab, "echo migrating").changed[-1] == "Migrate"
    assert migrate(lab, "echo migrating").is_unchanged
    assert shop.shell(lab, HOST, "cat /var/lib/slipway/migrations/shop/k1") == "one"
    assert migrate(lab, "echo migrating", key="k2").changed == ["Migrate"]


def test_a_failing_migration_tells_its_error_and_is_tried_again(lab: Lab) -> None:
    """Its last lines and exit code are in the error; nothing is noted, nothing is left behind."""
    outcome = migrate(lab, "echo 'relation \"orders_v2\" does not exist' >&2; exit 4")
    assert 'relation "orders_v2" does not exist' in outcome.error and "exit code 4" in outcome.error
    assert shop.shell(lab, HOST, "docker ps -aq --filter name=shop-migrate") == ""
    assert migrate(lab, "echo fine").error == ""


def test_a_check_that_still_finds_work_fails_the_migration(lab: Lab) -> None:
    """The migration ended well, but its own check says that something is left."""
    assert "exit code 1" in migrate(lab, "true", check=("sh", "-c", "echo pending; exit 1")).error
    assert migrate(lab, "true", check=("sh", "-c", "exit 0")).error == ""


def test_a_migration_that_takes_too_long_is_stopped(lab: Lab) -> None:
    """It is not left running behind our back."""
    assert "not done after 2 s, and stopped" in migrate(lab, "echo working; exec sleep 60", seconds=2).error
    assert shop.shell(lab, HOST, "docker ps -aq --filter name=shop-migrate") == ""


def test_a_migration_of_a_run_that_died_is_waited_for(lab: Lab) -> None:
    """Two never run at the same time: the orphan ends first."""
    shop.shell(lab, HOST, "mkdir -p /tmp/trace && rm -f /tmp/trace/* && docker network create shop 2>/dev/null || true")
    trace = Mount("bind", "/trace", "/tmp/trace")
    spec = dataclasses.replace(job(lab, "echo start >> /trace/log; sleep 3; echo end >> /trace/log"), mounts=(trace,))
    words = subprocess.list2cmdline(spec.job_words("shop-migrate")[:-3])
    shop.shell(lab, HOST, f"docker run -d {words} sh -c '{spec.argv[2] if spec.argv else ''}'")
    outcome = on(lab, HOST, lambda: migrations.done(name="Migrate", spec=spec, key="k1", seconds=20))
    assert outcome.error == ""
    assert shop.shell(lab, HOST, "cat /tmp/trace/log").split() == ["start", "end", "start", "end"]


# --- record


def record(identity: str, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": identity, "stack": "shop", "images": ["tiny:1"], "services": {}, "secrets": list(secrets)}


def recorded(lab: Lab, identity: str, keep: int = 5, secrets: tuple[str, ...] = ()) -> Outcome:
    told = record(identity, secrets)
    return on(lab, HOST, lambda: releases.recorded(name="Record", record=told, origin=WHO, keep=keep))


def test_a_release_is_recorded_once(lab: Lab) -> None:
    """Who, when, commit and image ids; the second run changes nothing; history has one line for each deploy."""
    assert recorded(lab, "aaa").planned == ["release: none -> aaa"]
    found = json.loads(shop.shell(lab, HOST, "cat /var/lib/slipway/releases/current"))
    identity = shop.shell(lab, HOST, "docker image inspect -f '{{.Id}}' tiny:1")
    assert (found["id"], found["who"], found["commit"]) == ("aaa", WHO.who, WHO.commit)
    assert found["image_ids"] == {"tiny:1": identity}
    assert recorded(lab, "aaa").is_unchanged
    assert recorded(lab, "bbb").planned == ["release: aaa -> bbb"]
    lines = shop.shell(lab, HOST, "cat /var/lib/slipway/releases/log").splitlines()
    assert [line.split()[1:] for line in lines] == [[name, WHO.who, WHO.commit, "deploy"] for name in ("aaa", "bbb")]
    assert shop.shell(lab, HOST, "stat -c %a /var/lib/slipway/releases/*.json").split() == ["600", "600"]


def test_only_as_many_releases_are_kept_as_are_to_be_kept(lab: Lab) -> None:
    """The longest out of service go, and with them the secrets that nobody else has."""
    shop.shell(lab, HOST, "cd /var/lib/slipway && mkdir -p secrets/other-web-1 secrets/shop-web-v1 secrets/shop-web-v2")
    recorded(lab, "aaa", secrets=("shop-web-v1", "shop-web-v2"))
    recorded(lab, "bbb", secrets=("shop-web-v2",))
    recorded(lab, "aaa", secrets=("shop-web-v1", "shop-web-v2"))
    shop.shell(lab, HOST, "mkdir /var/lib/slipway/secrets/shop-web-v3")
    recorded(lab, "ccc", keep=2, secrets=("shop-web-v3",))
    kept = shop.shell(lab, HOST, "cd /var/lib/slipway/releases && ls *.json; ls ../secrets")
    assert kept.split() == ["aaa.json", "ccc.json", "other-web-1", "shop-web-v1", "shop-web-v2", "shop-web-v3"]
    recorded(lab, "ddd", keep=1)
    assert shop.shell(lab, HOST, "ls /var/lib/slipway/secrets") == "other-web-1"


@pytest.mark.parametrize(
    "damage", ["echo '{{' > {}", "rm {}", "sed -i s/tiny/evil/ {}", "rm /var/lib/slipway/releases/current"]
)
def test_a_record_that_was_touched_is_written_again(lab: Lab, damage: str) -> None:
    """Unreadable, missing or edited, the next run puts it right."""
    recorded(lab, "aaa")
    shop.shell(lab, HOST, damage.format("/var/lib/slipway/releases/aaa.json"))
    assert recorded(lab, "aaa").changed == ["Record"]
    assert recorded(lab, "aaa").is_unchanged


def staged(lab: Lab, identity: str, secrets: tuple[str, ...] = (), way: str = "deploy") -> Outcome:
    told = record(identity, secrets)
    return on(lab, HOST, lambda: releases.staged(name="Stage", record=told, origin=WHO, way=way))


def kept(lab: Lab) -> ReleaseRecords:
    """What the host says of itself."""
    found: list[ReleaseRecords] = []
    converge(lab, [HOST], lambda name: found.append(current_host.get_fact(ReleasesFact)))
    return found[0]


def test_a_release_is_staged_before_it_is_current(lab: Lab) -> None:
    """It is on record, as an attempt; the one that serves stays the current one until the new one is proved."""
    recorded(lab, "aaa")
    assert staged(lab, "bbb").planned == ["release: bbb staged"]
    found = kept(lab)
    assert (found.current, found.never_current, found.order) == ("aaa", {"bbb"}, ("aaa",))
    assert found.attempt and (found.attempt.id, found.attempt.way, found.attempt.who) == ("bbb", "deploy", WHO.who)
    assert staged(lab, "bbb").is_unchanged
    assert recorded(lab, "bbb").planned == ["release: aaa -> bbb"]
    found = kept(lab)
    assert (found.current, found.never_current, found.attempt) == ("bbb", frozenset(), None)
    assert staged(lab, "bbb").is_unchanged


def test_what_was_staged_and_never_served_goes_with_the_next_release(lab: Lab) -> None:
    """It takes no place of a release that is kept, its secrets are protected until then, and go with it."""
    shop.shell(lab, HOST, "mkdir -p /var/lib/slipway/secrets/shop-web-v1")
    recorded(lab, "aaa", keep=2, secrets=("shop-web-v1",))
    shop.shell(lab, HOST, "mkdir -p /var/lib/slipway/secrets/shop-web-v2")
    staged(lab, "bad", secrets=("shop-web-v2",))
    assert recorded(lab, "aaa", keep=2, secrets=("shop-web-v1",)).is_unchanged
    assert kept(lab).directories == {"shop-web-v1", "shop-web-v2"}
    recorded(lab, "bbb", keep=2, secrets=("shop-web-v1",))
    found = kept(lab)
    assert (set(found.records), found.directories, found.attempt) == ({"aaa", "bbb"}, {"shop-web-v1"}, None)


def test_going_back_is_noted_as_such(lab: Lab) -> None:
    """A release of before is attempted again without becoming one that never served; its log line says what it was."""
    recorded(lab, "aaa")
    recorded(lab, "bbb")
    assert staged(lab, "aaa", way="rollback").planned == ["release: aaa staged"]
    found = kept(lab)
    assert (found.current, found.never_current, set(found.records)) == ("bbb", frozenset(), {"aaa", "bbb"})
    told = record("aaa")
    task = lambda: releases.recorded(name="Record", record=told, origin=WHO, keep=5, way="rollback")  # noqa: E731
    assert on(lab, HOST, task).planned == ["release: bbb -> aaa"]
    assert (kept(lab).current, kept(lab).order) == ("aaa", ("bbb", "aaa"))
    assert shop.shell(lab, HOST, "tail -n 1 /var/lib/slipway/releases/log").endswith(" rollback")
    assert on(lab, HOST, task).is_unchanged


def test_going_back_to_what_serves_ends_an_attempt(lab: Lab) -> None:
    """After a roll that stopped; a deploy of what serves leaves it to be seen."""
    recorded(lab, "aaa")
    staged(lab, "bad")
    assert recorded(lab, "aaa").is_unchanged
    told = record("aaa")
    task = lambda: releases.recorded(name="Record", record=told, origin=WHO, keep=5, way="rollback")  # noqa: E731
    assert on(lab, HOST, task).planned == ["release: bad is attempted no longer"]
    assert (kept(lab).attempt, set(kept(lab).records)) == (None, {"aaa"})


# --- proof


def proved(lab: Lab, path: str, wanted: str, seconds: int = 2) -> Outcome:
    url = f"http://shop.test:{shop.PORT}{path}"
    address = lab.address(HOST)
    return on(
        lab, HOST, lambda: edges.proved(name="Prove", address=address, url=url, wanted=wanted, times=3, seconds=seconds)
    )


def test_a_proof_asks_through_the_address_of_the_edge_and_changes_nothing(lab: Lab) -> None:
    """The right answer is no change; a wrong one, a 404 and silence fail with what was said."""
    spec = shop.spec(lab, HOST, "4f2c1e")

    def task() -> None:
        containers.network(name="Network", stack="shop")
        containers.started(name="Run", stack="shop", wanted=[containers.Replica(spec)])

    assert on(lab, HOST, task).error == ""
    assert proved(lab, "/ready", "4f2c1e").is_unchanged
    wrong = proved(lab, "/ready", "1a9b07")
    assert "does not answer release 1a9b07 after 2 s: 4f2c1e" in wrong.error and wrong.planned == []
    missing = proved(lab, "/version", "4f2c1e").error
    assert missing.rstrip().endswith("404") or "HINT" in missing
    assert proved(lab, "/nothing", "").is_unchanged
    shop.shell(lab, HOST, "docker stop shop-web-1")
    assert "Failed to connect" in proved(lab, "/nothing", "").error


# --- the whole


COMPOSE = """\
name: shop
x-slipway:
  migrate: {service: web, command: [sh, -c, "echo migrated"]}
services:
  web:
    build: source
    command:
      - sh
      - -c
      - mkdir -p /tmp/www && echo $$SLIPWAY_RELEASE > /tmp/www/ready && exec /bin/busybox httpd -f -p 8000 -h /tmp/www
    environment: {LEVEL: INFO}
    user: "1000"
    read_only: true
    tmpfs: [/tmp]
    secrets: [key]
    stop_grace_period: 1s
    volumes: ["data:/data"]
    deploy: {replicas: 3, update_config: {monitor: 1s}, resources: {limits: {cpus: "0.5", memory: 64M}}}
    x-slipway: {edge: {hosts: [shop.test], port: 8000}, ready: {path: /ready, timeout_seconds: 10}}
  clock:
    build: source
    command: [sleep, "1000000"]
    init: true
    stop_grace_period: 1s
    deploy: {replicas: 1, update_config: {monitor: 1s}}
    x-slipway: {singleton: true}
volumes: {data: {}}
secrets: {key: {external: true}}
"""


@dataclasses.dataclass
class Shop:
    """The whole application on two hosts, as deploy.py brings it."""

    lab: Lab
    folder: Path

    def context(self, host: str) -> Context:
        fleet = Fleet("test", tuple(Member(name, self.lab.address(name), ("workers",)) for name in HOSTS))
        stack = load(self.folder / "compose.yaml", variables={})
        secrets = Secrets("test", lambda name: CANARY)
        release = release_of(stack, fleet, secrets)
        on_record = entry(release, stack, {}, {})
        return Context(fleet.member(host), fleet, secrets, stack, release, entry=on_record)

    def deploy(self) -> dict[str, Outcome]:
        """Every stage in order; the first outcome with an error ends it."""
        merged = {host: Outcome() for host in HOSTS}
        stages = {"staged": HOSTS, "images": HOSTS, "migration": HOSTS[:1], "role": HOSTS, "record": HOSTS}
        for part, hosts in stages.items():
            for host, outcome in self.stage(part, hosts).items():
                merged[host].changed += outcome.changed
                merged[host].planned += outcome.planned
                merged[host].error = merged[host].error or outcome.error
            if any(outcome.error for outcome in merged.values()):
                break
        return merged

    def stage(self, part: str, hosts: list[str]) -> dict[str, Outcome]:
        role = getattr(roles.app, part)

        def tasks(host: str) -> None:
            ctx = self.context(host)
            role.tasks(role.wanted({}, ctx), ctx)

        return converge(self.lab, hosts, tasks)

    def verify(self) -> None:
        for host in HOSTS:
            ctx = self.context(host)
            remote = testinfra.get_host(f"ssh://{host}", ssh_config=str(self.lab.ssh_config), sudo=True)
            for module in (verify, verify_record):
                for name, check in vars(module).items():
                    if name.startswith("check_"):
                        check(remote, roles.app.role.wanted({}, ctx), ctx)


@pytest.fixture
def whole(lab: Lab, source: Path) -> Shop:
    (source.parent / "compose.yaml").write_text(COMPOSE)
    return Shop(lab, source.parent)


def test_a_whole_application_is_deployed_verified_and_left_alone(whole: Shop) -> None:
    """Images, schema, containers and record; every check holds; the second deploy changes nothing."""
    for host, outcome in whole.deploy().items():
        assert outcome.error == "", f"{host}: {outcome.error}"
    whole.verify()
    assert whole.lab.exec(HOSTS[0], ["docker", "exec", "shop-web-2", "cat", "/run/secrets/key"]).stdout == CANARY
    assert all(outcome.is_unchanged for outcome in whole.deploy().values())


def test_a_new_release_and_the_way_back_to_the_one_before(whole: Shop) -> None:
    """A changed environment is another release on every container; the file of before brings the one of before."""
    first = whole.context(HOST).entry
    whole.deploy()
    compose = whole.folder / "compose.yaml"
    compose.write_text(COMPOSE.replace("LEVEL: INFO", "LEVEL: DEBUG"))
    second = whole.context(HOST).entry
    assert first and second and first.id != second.id
    assert [outcome.error for outcome in whole.deploy().values()] == ["", ""]
    whole.verify()
    compose.write_text(COMPOSE)
    assert [outcome.error for outcome in whole.deploy().values()] == ["", ""]
    whole.verify()
    lines = shop.shell(whole.lab, HOST, "cat /var/lib/slipway/releases/log").splitlines()
    assert [line.split()[1] for line in lines] == [first.id, second.id, first.id]


def test_a_service_that_left_the_file_is_removed(whole: Shop) -> None:
    """Its container goes, others are not touched by that beyond their new release."""
    whole.deploy()
    text = COMPOSE[: COMPOSE.index("  clock:")] + COMPOSE[COMPOSE.index("volumes: {data") :]
    (whole.folder / "compose.yaml").write_text(text)
    assert [outcome.error for outcome in whole.deploy().values()] == ["", ""]
    assert "shop-clock-1" not in shop.containers(whole.lab, HOSTS[0])
    whole.verify()
