"""Going back on real hosts: an edge and two workers, a small application, and everything of a release that changes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from slipway.lab.lab import Lab
from tests.labs import lab_of_tests
from tests.project import ROOT, Project
from tests.roles import app_hosts as shop

pytestmark = [pytest.mark.hosts, pytest.mark.docker]

EDGE, WORKERS = "edge1", ["worker1", "worker2"]
KEEP = 4

COMPOSE = """\
name: shop
x-slipway:
  keep_releases: 4
  migrate: {service: web, command: [sh, -c, "echo migrated SCHEMA"], revision: SCHEMA}
services:
  web:
    build: source
    command:
      - sh
      - -c
      - >-
        mkdir -p /tmp/www && echo $$SLIPWAY_RELEASE > /tmp/www/version && cp /tmp/www/version /tmp/www/ready
        && exec /bin/busybox httpd -f -p 8000 -h /tmp/www
    environment: {LEVEL: one}
    user: "1000"
    tmpfs: ["/tmp:mode=1777"]
    secrets: [key]
    stop_grace_period: 1s
    deploy: {replicas: 2, update_config: {monitor: 1s}, rollback_config: {monitor: 1s}}
    x-slipway:
      drain_seconds: 1
      edge: {hosts: [shop.test], port: 8000}
      ready: {path: /ready, timeout_seconds: 20}
secrets: {key: {external: true}}
"""

DEPLOY = """\
from roles import app, docker, nginx
from slipway.deploy import converge, once, roll

edges = {"nginx": nginx.traffic}

converge("Release", {"all": app.staged})
converge("Services", {"workers": docker})
converge("Edges", {"nginx": nginx})
converge("Images", {"workers": app.images})
once("Schema", {"workers": app.migration})
converge("Traffic", {"nginx": app.traffic})
roll("Application", {"workers": app}, through=edges)
converge("Proof", {"nginx": app.proof})
converge("Record", {"all": app.record})
"""


class Shop(Project):
    """The project, and what its hosts have of it."""

    def be(self, word: str, schema: str = "v1") -> None:
        """Everything that a release is made of says this word."""
        self.write(
            "stacks/shop/compose.yaml", COMPOSE.replace("LEVEL: one", f"LEVEL: {word}").replace("SCHEMA", schema)
        )
        self.write("stacks/shop/source/word", word)
        self.write("secrets.yaml", f"key: the-key-{word}\n")
        (self.path / "secrets.yaml").chmod(0o600)
        self.write("group_data/nginx.py", f'nginx = {{"https_port": None, "snippets": {{"word": "# data {word}"}}}}\n')
        template = (ROOT / "templates/nginx/nginx.conf.j2").read_text()
        self.write("templates/nginx/nginx.conf.j2", f"{template}# template {word}\n")

    def deploy(self) -> None:
        done = self.slipway("deploy")
        assert done.returncode == 0, done.stderr

    def rollback(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.slipway("rollback", *arguments)

    def words(self) -> dict[str, str]:
        """The word that each part of what serves says."""
        containers = [shop.inspect(self.lab, host) for host in WORKERS]
        told = {f"environment on {h}": _variable(c, "LEVEL") for h, c in zip(WORKERS, containers, strict=True)}
        for host in WORKERS:
            told[f"secret on {host}"] = self.inside(host, "cat /run/secrets/key").removeprefix("the-key-")
            told[f"image on {host}"] = self.inside(host, "cat /word")
        here = "/etc/nginx/slipway/current"
        told["data"] = shop.shell(self.lab, EDGE, f"sed -n 's/^# data //p' {here}/snippets/word.conf")
        told["template"] = shop.shell(self.lab, EDGE, "sed -n 's/^# template //p' /etc/nginx/nginx.conf")
        return told

    def inside(self, host: str, command: str) -> str:
        return shop.shell(self.lab, host, f"docker exec shop-web-1 {command}")

    def answer(self) -> str:
        """Which release answers through the edge."""
        url = f"http://{self.lab.address(EDGE)}/version"
        return shop.shell(self.lab, EDGE, f"curl -sS -m 20 -H 'Host: shop.test' {url}")

    def history(self) -> list[dict[str, object]]:
        told: list[dict[str, object]] = json.loads(self.slipway("history", "--json").stdout)
        return told

    def serving(self) -> str:
        (serving,) = [str(each["id"]) for each in self.history() if each["serves_on"]]
        return serving

    def containers(self) -> list[str]:
        return [str(shop.inspect(self.lab, host)["Id"]) for host in WORKERS]


def _variable(container: dict[str, object], name: str) -> str:
    config = container["Config"]
    assert isinstance(config, dict)
    return next(each.partition("=")[2] for each in config["Env"] if each.startswith(f"{name}="))


def all_say(project: Shop, word: str) -> bool:
    assert project.words() == dict.fromkeys(project.words(), word)
    return project.serving().startswith(project.answer())


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = lab_of_tests("rollback")
    booted = lab.up([EDGE, *WORKERS])
    for host in WORKERS:
        shop.prepare(lab, host)
        shop.clear(lab, host)
    shop.shell(lab, EDGE, "rm -rf /var/lib/slipway/releases")
    yield lab
    built = subprocess.run(["docker", "image", "ls", "-q", "slipway/shop"], capture_output=True, text=True, check=True)
    if built.stdout:  # this machine's engine keeps nothing of the test's own images
        subprocess.run(["docker", "image", "rm", "-f", *set(built.stdout.split())], capture_output=True, check=True)
    if booted:
        lab.down()


@pytest.fixture(scope="module")
def project(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One release, `one`, then another, `two`."""
    path = tmp_path_factory.mktemp("project")
    made = Shop(path, lab)
    (path / "roles").symlink_to(ROOT / "roles")
    shutil.copytree(ROOT / "templates", path / "templates")
    shutil.copy(ROOT / "config.py", path / "config.py")
    made.inventory(nginx=[EDGE], workers=WORKERS)
    made.write("group_data/all.py", 'stack = "shop"\nsecrets = "file:secrets.yaml"\n')
    made.write("deploy.py", DEPLOY)
    _write_source(made)
    made.be("one")
    made.deploy()
    assert all_say(made, "one")
    made.be("two")
    made.deploy()
    return made


def _write_source(project: Shop) -> None:
    source = project.path / "stacks/shop/source"
    (source / "bin").mkdir(parents=True)
    container = project.lab.layout.container(WORKERS[0])
    subprocess.run(["docker", "cp", f"{container}:/bin/busybox", str(source / "bin/busybox")], check=True)
    for name in ("sh", "cat", "cp", "mkdir", "echo"):
        (source / "bin" / name).symlink_to("busybox")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY bin /bin\nCOPY word /word\n")


def test_everything_of_the_release_before_comes_back(project: Shop) -> None:
    """Image, environment, secret, edge's data and edge's templates, though the project and its source say otherwise."""
    assert all_say(project, "two")
    second = project.serving()
    done = project.rollback()
    assert done.returncode == 0, done.stderr
    assert all_say(project, "one")
    first = project.serving()
    assert f"Back to release {first}" in done.stderr and first != second
    log = shop.shell(project.lab, EDGE, "tail -n 1 /var/lib/slipway/releases/log").split()
    assert (log[1], log[4]) == (first, "rollback")
    assert "No changes" in project.rollback(first).stderr
    there = project.rollback()
    assert there.returncode == 0, there.stderr
    assert all_say(project, "two") and project.serving() == second
    plan = project.slipway("plan")
    assert (plan.returncode, plan.stdout) == (0, "Nothing to do: all as wanted.\n")


def test_a_changed_setting_is_undone_without_a_container(project: Shop) -> None:
    """A configuration of its own is on record under the same release; the way back touches the edge alone."""
    before, containers = project.serving(), project.containers()
    text = 'nginx = {"https_port": None, "snippets": {"word": "# data other"}}\n'
    project.write("group_data/nginx.py", text)
    project.deploy()
    changed = project.serving()
    assert changed != before and changed.partition("-")[0] == before.partition("-")[0]
    assert project.words()["data"] == "other"
    told = project.slipway("diff", before, changed).stdout
    assert "+" in told and "# data other" in told and "# data two" in told
    done = project.rollback()
    assert done.returncode == 0, done.stderr
    assert project.words()["data"] == "two" and project.serving() == before
    assert project.containers() == containers
    project.be("two")


def test_a_roll_that_failed_is_undone(project: Shop) -> None:
    """What serves is gone back to, not the one before that; what was staged is forgotten with the next release."""
    serving = project.serving()
    project.be("bad")
    file = project.path / "stacks/shop/compose.yaml"
    file.write_text(file.read_text().replace("httpd -f", "httpd --no-such-option"))
    assert project.slipway("deploy").returncode == 1
    staged = [each for each in project.history() if not each["has_served"]]
    assert len(staged) == 1 and project.rollback(str(staged[0]["id"])).returncode == 2
    done = project.rollback()
    assert done.returncode == 0, done.stderr
    assert f"Back to release {serving}" in done.stderr
    assert all_say(project, "two") and project.serving() == serving
    assert [each for each in project.history() if not each["has_served"]] == []
    project.be("two")


def test_a_schema_that_has_moved_on_refuses_before_anything_is_touched(project: Shop) -> None:
    """Exit 2 with what is there and what to do; consent by its name goes back, and never migrates."""
    before = project.serving()
    project.be("three", schema="v2")
    project.deploy()
    containers = project.containers()
    done = project.rollback()
    assert done.returncode == 2, done.stderr
    assert "the schema is v2" in done.stderr and "--accept-schema v2" in done.stderr
    assert project.containers() == containers and all_say(project, "three")
    assert project.rollback("--accept-schema", "v1").returncode == 2
    accepted = project.rollback("--accept-schema", "v2")
    assert accepted.returncode == 0, accepted.stderr
    assert all_say(project, "two") and project.serving() == before
    again = project.rollback()
    assert again.returncode == 0, again.stderr  # its own schema is there
    assert all_say(project, "three")


def test_what_is_gone_refuses_before_anything_is_touched(project: Shop) -> None:
    """A secret that only a host had, an image whose source is no longer what it was: both are told at once."""
    project.be("four", schema="v2")
    project.deploy()
    target = project.history()[-2]
    images = target["images"]
    assert isinstance(images, list)
    shop.shell(project.lab, WORKERS[1], f"docker image rm -f {images[0]}")
    subprocess.run(["docker", "image", "rm", "-f", images[0]], check=True, capture_output=True)
    record = f"/var/lib/slipway/releases/{target['id']}.json"
    (directory,) = json.loads(shop.shell(project.lab, WORKERS[0], f"cat {record}"))["secrets"]
    shop.shell(project.lab, WORKERS[0], f"rm -r /var/lib/slipway/secrets/{directory}")
    containers = project.containers()
    done = project.rollback()
    assert done.returncode == 2, done.stderr
    assert f"{WORKERS[0]}: the secrets {directory}" in done.stderr and "has another key" in done.stderr
    assert f"{WORKERS[1]}: the image {images[0]} is gone" in done.stderr
    assert project.containers() == containers and all_say(project, "four")


def test_no_more_is_kept_than_is_to_be_kept_and_that_is_protected(project: Shop) -> None:
    """Records up to the limit, with their secrets and images, which a prune without mercy leaves alone."""
    project.be("five", schema="v2")
    project.deploy()
    kept = project.history()
    assert len(kept) == KEEP
    wanted = {ref for each in kept for ref in (each["images"] if isinstance(each["images"], list) else [])}
    shop.shell(project.lab, WORKERS[0], "/usr/local/sbin/slipway-prune 0")
    shop.shell(project.lab, WORKERS[0], "/usr/local/sbin/slipway-prune 0")
    left = shop.shell(project.lab, WORKERS[0], "docker image ls slipway/shop --format '{{.Repository}}:{{.Tag}}'")
    assert set(left.split()) == wanted
    secrets = shop.shell(project.lab, WORKERS[0], "ls /var/lib/slipway/secrets").split()
    assert len(secrets) <= KEEP


def test_a_part_of_the_fleet_does_not_go_back_alone(project: Shop) -> None:
    """--limit is refused; so are names that mean nothing."""
    limited = project.rollback("--limit", WORKERS[0])
    assert limited.returncode == 2 and "goes back as a whole" in limited.stderr
    unknown = project.rollback("nothing")
    assert unknown.returncode == 2 and "no host keeps it" in unknown.stderr


def test_json_tells_where_it_goes(project: Shop) -> None:
    """For programs: one event names the release, the last one what became of each host."""
    done = project.rollback(project.serving(), "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (told,) = [event for event in events if event["kind"] == "rollback"]
    assert told["details"]["release"] == project.serving()
    assert events[-1]["kind"] == "run-end" and set(events[-1]["details"]["hosts"]) == {EDGE, *WORKERS}
