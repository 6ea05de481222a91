"""A host that reconciles itself: one deploy is all it takes, and what nobody signed is never run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest

from slipway.lab.lab import Lab
from tests.debian_python import packages
from tests.labs import lab_of_tests
from tests.project import ROOT, Project
from tests.signing import Signed, key_pair, signed

pytestmark = pytest.mark.hosts

HOST = "ops1"
METRICS = "/var/lib/prometheus/node-exporter"
VERIFIED = f"{METRICS}/slipway_reconciler_all.prom"
WORST_EXPOSURE = 2.0
"""systemd-analyze's figure, where 10 is a unit that may do everything; its word for below 2 is OK."""

DEPLOY = """\
from roles import reconciler
from slipway.deploy import converge
from slipway.ops import files

converge("Log-in", {"all": reconciler.access})
files.put(path="/etc/motd", content="as the repository has it\\n", name="Write motd")
converge("Reconciler", {reconciler.GROUP: reconciler})
"""


@dataclass(frozen=True)
class Ops:
    """The host, the project that it is deployed from, and the repository that it follows."""

    lab: Lab
    project: Project
    repository: Signed

    def told(self, text: str) -> str:
        done = self.lab.exec(HOST, ["sh", "-c", text])
        assert done.code == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def publish(self, owner: str = "slipway-reconcile") -> None:
        """Brings the bare repository to where the host's URL says."""
        container = self.lab.layout.container(HOST)
        self.told("rm -rf /srv/git && mkdir -p /srv/git")
        subprocess.run(["docker", "cp", "-q", str(self.repository.bare), f"{container}:/srv/git/"], check=True)
        self.told(f"chown -R {owner}: /srv/git")  # git serves a file:// repository to its owner only

    def run(self) -> tuple[str, str]:
        """Runs the unit by hand: (systemd's word for how it ended, its lines in the journal)."""
        cursor = self.told("journalctl --sync; journalctl -n 1 --show-cursor | sed -n 's/^-- cursor: //p'")
        self.lab.exec(HOST, ["systemctl", "start", "slipway-reconcile.service"])
        # By its unit, which systemd itself says: whose process wrote a line is lost where that is over at once.
        lines = self.told(f"journalctl --sync; journalctl -u slipway-reconcile -o cat --after-cursor='{cursor}'")
        return self.told("systemctl show -P Result slipway-reconcile.service"), lines


def write_project(project: Project, repository: Signed, folder: Path) -> None:
    """The project as people commit it: everything that it takes but their own keys."""
    for name in ("src", "roles", "templates"):
        shutil.copytree(ROOT / name, project.path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("config.py", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, project.path / name)
    project.inventory(reconcilers=[HOST])
    project.write("deploy.py", DEPLOY)
    key_pair(folder / "reconciler")
    age = pyrage.x25519.Identity.generate()
    (folder / "age.key").write_text(f"{age}\n")
    (folder / "age.key").chmod(0o600)
    key = (folder / "reconciler").read_text().replace("\n", "\n  ")
    held = f"reconciler_key: |\n  {key}\nreconciler_age: {age}\n"
    (project.path / "secrets.age").write_bytes(pyrage.encrypt(held.encode(), [age.to_public()], armored=True))
    known = [line for line in project.lab.layout.known_hosts.read_text().splitlines() if line.startswith(f"{HOST},")]
    reconciler = {
        "url": "file:///srv/git/project.git",
        "allowed_signers": [f"ann@example.com {repository.key.with_suffix('.pub').read_text().strip()}"],
        "known_hosts": known,
        "age_key": "reconciler_age",
        "mend": "all",
        "environment": {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels"},
    }
    watching = {"metrics": METRICS, "every": 604_800}  # no timer's run comes between the test's own
    data = f"secrets = 'age:secrets.age'\nreconciler = {reconciler!r}\nreconcile = {watching!r}\n"
    project.write("group_data/all.py", data)


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ops]:
    """One bare Debian 12, deployed once; its repository holds the project, signed."""
    folder = tmp_path_factory.mktemp("ops")
    lab = lab_of_tests("reconciler")
    lab.up([HOST])
    try:
        (folder / "project").mkdir()
        project = Project(folder / "project", lab)
        repository = signed(folder, project.path)
        write_project(project, repository, folder)
        repository.commit()
        subprocess.run(
            ["docker", "cp", "-q", str(packages("download", folder / "wheels")), f"{lab.layout.container(HOST)}:/srv/"],
            check=True,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLIPWAY_AGE_KEY_FILE", str(folder / "age.key"))
            done = project.pyinfra("deploy.py", "-y")
            assert done.returncode == 0, done.stdout + done.stderr
            made = Ops(lab, project, repository)
            made.publish()
            yield made
    finally:
        lab.down()


def test_one_deploy_makes_a_host_that_mends_itself(ops: Ops) -> None:
    """The timer waits; a run makes its environment, finds what was changed by hand, mends it and writes its metrics."""
    assert ops.told("systemctl is-enabled slipway-reconcile.timer; systemctl is-active slipway-reconcile.timer") == (
        "enabled\nactive"
    )
    ops.told("echo changed > /etc/motd")
    result, journal = ops.run()
    assert result == "success", journal
    assert ops.told("cat /etc/motd") == "as the repository has it"
    assert f"{ops.repository.git('rev-parse', 'HEAD')} is verified" in journal
    assert ops.told(f"tail -n 1 {VERIFIED}") == 'slipway_reconciler_checkout_verified{inventory="all"} 1'
    seen = ops.told(f"cat {METRICS}/slipway_reconcile_all.prom")
    assert f'slipway_reconcile_host_seen{{host="{HOST}",inventory="all"}} 1.0' in seen
    assert ops.told("stat -c %a /var/lib/prometheus/node-exporter/*.prom | sort -u") == "644"
    assert ops.told("ls /var/lib/slipway-reconciler/state/reconcile/all/latest.html")
    # What it did is told apart from what people do.
    audit = ops.told("cat /var/lib/slipway/audit* 2>/dev/null | grep -c slipway-reconcile@ || :")
    assert int(audit) > 0
    done = ops.project.slipway("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_unit_may_do_little(ops: Ops) -> None:
    """By systemd's own measure; it runs as nobody in particular, and its key is nobody else's to read."""
    told = ops.told("systemd-analyze security slipway-reconcile.service --no-pager | tail -n 1")
    figure = float(told.partition("level for slipway-reconcile.service: ")[2].split()[0])
    assert figure < WORST_EXPOSURE, told
    assert ops.lab.exec(HOST, ["runuser", "-u", "nobody", "cat", "/etc/slipway-reconciler/key"]).code != 0
    assert ops.lab.exec(HOST, ["runuser", "-u", "slipway-reconcile", "--", "sudo", "-n", "true"]).code != 0


def test_what_nobody_signed_is_not_run(ops: Ops) -> None:
    """The unit fails, the metric says so, and the host is as it was; signed, it is run."""
    ops.project.write("deploy.py", DEPLOY.replace("as the repository has it", "as somebody has pushed it"))
    ops.repository.commit(is_signed=False)
    ops.publish()
    before = ops.told("cat /etc/motd")
    result, journal = ops.run()
    assert (result, ops.told("cat /etc/motd")) == ("exit-code", before), journal
    assert "no good signature" in journal
    assert ops.told(f"tail -n 1 {VERIFIED}") == 'slipway_reconciler_checkout_verified{inventory="all"} 0'
    ops.repository.commit()
    ops.publish()
    result, journal = ops.run()
    assert (result, ops.told("cat /etc/motd")) == ("success", "as somebody has pushed it"), journal
    assert ops.told(f"tail -n 1 {VERIFIED}") == 'slipway_reconciler_checkout_verified{inventory="all"} 1'


def test_a_checkout_that_was_changed_is_not_run(ops: Ops) -> None:
    """A file that somebody has put beside the signed ones is enough; taken away, all is well again."""
    evil = "/var/lib/slipway-reconciler/checkout/group_data/zz.py"
    ops.told(f"touch {evil}")
    result, journal = ops.run()
    assert result == "exit-code"
    assert "the checkout was changed: group_data/zz.py" in journal
    assert ops.told(f"tail -n 1 {VERIFIED}").endswith(" 0")
    ops.told(f"rm {evil}")
    assert ops.run()[0] == "success"


def test_switched_off_nothing_of_it_is_left(ops: Ops) -> None:
    """No timer, no key, no way in."""
    data = ops.project.path / "group_data/all.py"
    data.write_text(data.read_text().replace("'mend': 'all'", "'mend': 'all', 'enabled': False"))
    done = ops.project.slipway("deploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ops.project.slipway("verify").returncode == 0
    assert ops.lab.exec(HOST, ["systemctl", "is-enabled", "slipway-reconcile.timer"]).stdout.strip() == "disabled"
    assert ops.told("getent passwd reconciler || echo none") == "none"
    assert "key" not in ops.told("ls /etc/slipway-reconciler").split()


def test_switched_on_again_it_comes_in_as_before(ops: Ops) -> None:
    """Though its number on the host has gone to somebody else meanwhile, and its home belongs to them."""
    ops.told("useradd --create-home between")
    data = ops.project.path / "group_data/all.py"
    off = data.read_text()
    data.write_text(off.replace("'enabled': False", "'enabled': True"))
    done = ops.project.slipway("deploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ops.project.slipway("verify").returncode == 0
    assert ops.told("stat -c %U /home/reconciler /home/reconciler/.ssh") == "reconciler\nreconciler"
    data.write_text(off)
    assert ops.project.slipway("deploy").returncode == 0


def test_pulling_the_host_mends_itself_without_ssh(ops: Ops) -> None:
    """The same unit as root: its own drift is gone, its metrics are there, and nobody is let in for it any more."""
    data = ops.project.path / "group_data/all.py"
    switched_on = data.read_text().replace("'enabled': False", "'pull': True")
    data.write_text(switched_on.replace("reconcile = {", f"reconcile = {{'leases': {{'redis': {HOST!r}}}, "))
    ops.repository.commit()
    done = ops.project.slipway("deploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ops.project.slipway("verify").returncode == 0
    ops.publish("root")
    ops.told("echo changed > /etc/motd; rm -f /var/lib/prometheus/node-exporter/*")
    result, journal = ops.run()
    assert (result, ops.told("cat /etc/motd")) == ("success", "as somebody has pushed it"), journal
    assert f'slipway_reconcile_host_seen{{host="{HOST}",inventory="all"}} 1.0' in ops.told(f"cat {METRICS}/*.prom")
    assert ops.told("getent passwd reconciler || echo none; ls /etc/slipway-reconciler") == (
        "none\nage.key\nallowed_signers\nknown_hosts"
    )
