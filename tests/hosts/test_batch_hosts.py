"""Questions asked together, on real hosts: few commands whatever there is to ask, and the same plan and result."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.facts.units import UnitFact
from slipway.lab.lab import Lab
from slipway.seam.together import Answer, Question, answers, question_of, text
from tests.conftest import SEED
from tests.project import Project

pytestmark = pytest.mark.hosts

TWINS = ("worker1", "worker3")
"""Two hosts of one release: the first is asked together, the other one question at a time."""
ROOT = "/srv/batch"

DEPLOY = """
    from slipway.deploy import converge
    from slipway.ops import files, packages, units
    from slipway.role import Role, RoleData

    class Data(RoleData):
        pass

    def tasks(data, ctx):
        packages.repaired(name="Finish what was interrupted")
        packages.installed(name="Install packages", names=["coreutils", "sudo"])
        files.directory(name="Make the directory", path="/srv/batch", mode="755")
        for number in range(COUNT):
            files.put(name="Write a file", path=f"/srv/batch/{number}", content=f"{number}\\n", mode="640")
        files.link(name="Link the first", path="/srv/batch/link", target="/srv/batch/0")
        files.absent(name="Remove the old one", path="/srv/batch/old")
        units.unit_file(name="Write the unit", filename="batch.service",
                        content="[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n")
        units.unit(name="Start the unit", unit="batch.service")
        files.put(name="Write its settings", path="/srv/batch/settings", content="x\\n",
                  owes=["restart:batch.service"])
        units.settle(name="Restart the unit", unit="batch.service", action="restart")

    role = Role("batch", data=Data, tasks=tasks)
    other = Role("other", data=Data, tasks=lambda data, ctx: files.put(
        name="Write behind it", path="/srv/batch/behind", content="x\\n"))
    converge("First", {"web": role})
    converge("Second", {"web": other})
"""

DRIFTS = (
    "rm -f {root}/1", "echo more >> {root}/2", "chmod 600 {root}/3", "chown ops {root}/4", "rm -f {root}/link",
    "rm -rf {root}/5; mkdir {root}/5", "ln -sfn /etc/passwd {root}/6", "touch {root}/old", "mkdir {root}/old",
    "chmod 700 {root}", "rm -rf {root}", "systemctl stop batch.service", "systemctl disable batch.service",
    "systemctl mask batch.service --runtime", "rm -f /etc/systemd/system/batch.service; systemctl daemon-reload",
    "echo y > {root}/settings", "mkdir -p /var/lib/slipway/owed; touch /var/lib/slipway/owed/restart:batch.service",
    "rm -f {root}/behind", "ln -sfn /nowhere {root}/link", "echo '# by hand' >> /etc/systemd/system/batch.service",
)  # fmt: skip

# What a deploy refuses to remove would stand in the way of all further ones.
CLEAR = "find /srv/batch -mindepth 1 -type d -exec rmdir {} +; find /srv/batch -name 6 -type l -delete; true"

# What is there, without what tells one run or one host from another.
LOOK = """\
find /srv/batch /var/lib/slipway/owed -printf '%p %y %m %u %g %l\\n' 2> /dev/null | sort
find /srv/batch -type f -print0 2> /dev/null | sort -z | xargs -0r sha256sum
sha256sum /etc/systemd/system/batch.service
systemctl show batch.service -p ActiveState -p UnitFileState -p NeedDaemonReload
"""


@pytest.fixture
def twins(project: Project, bare_lab: Lab) -> Project:
    for host in TWINS:
        bare_lab.exec(host, ["sh", "-c", "systemctl disable --now batch.service; systemctl unmask batch.service; "
                             f"rm -rf {ROOT} /etc/systemd/system/batch.service; systemctl daemon-reload"])  # fmt: skip
    project.inventory(web=list(TWINS))
    project.write("deploy.py", DEPLOY.replace("COUNT", "8"))
    return project


def commands(project: Project, monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 0) -> dict[str, int]:
    """How many commands each host was sent by this run, by its connection's own count."""
    trace = project.path / "trace.jsonl"
    trace.unlink(missing_ok=True)
    monkeypatch.setenv("SLIPWAY_TRACE", str(trace))
    done = project.pyinfra(*words) if words[0] == "-y" else project.slipway(*words)
    monkeypatch.delenv("SLIPWAY_TRACE")
    assert done.returncode == code, done.stderr + done.stdout
    return counted(trace)


def counted(trace: Path) -> dict[str, int]:
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    return {line["host"]: line["commands"] for line in lines if "commands" in line}


def test_a_run_without_changes_takes_two_commands_whatever_there_is_to_ask(
    twins: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock and the questions, for twenty operations as for sixty; one more where nothing has been learnt yet."""
    for count in ("8", "50"):
        twins.write("deploy.py", DEPLOY.replace("COUNT", count))
        first = commands(twins, monkeypatch, "deploy")
        again = commands(twins, monkeypatch, "deploy")
        print(f"{count} files: {first} commands at first, {again} without changes")
        assert again == dict.fromkeys(TWINS, 2)
    assert commands(twins, monkeypatch, "plan") == dict.fromkeys(TWINS, 1)
    for path in (twins.path / ".slipway" / "asked" / "all").glob("*.json"):
        path.unlink()
    without = commands(twins, monkeypatch, "deploy")
    assert without == dict.fromkeys(TWINS, 3), "all but one are told by what was declared"
    assert commands(twins, monkeypatch, "deploy") == dict.fromkeys(TWINS, 2)
    # Stock order: read first, then locked and read again, as somebody else may have been here between.
    assert all(count <= 4 for count in commands(twins, monkeypatch, "-y", "deploy.py").values())


def test_one_changed_file_takes_a_few_commands_more(
    twins: Project, bare_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still needed after the change is asked at once: the other host takes no part in it."""
    commands(twins, monkeypatch, "deploy")
    bare_lab.exec("worker1", ["sh", "-c", f"echo by hand >> {ROOT}/1"])
    sent = commands(twins, monkeypatch, "deploy")
    print(f"one file of one host: {sent}")
    assert sent["worker1"] <= 7 and sent["worker3"] <= 4


def test_many_changed_files_go_up_in_one_command(
    twins: Project, bare_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five files, one as wanted between them, go up in one command; what each was before is read for its diff."""
    commands(twins, monkeypatch, "deploy")
    damage = f"cd {ROOT}; for each in 1 2 3 5 6; do echo by hand >> $each; done"
    bare_lab.exec("worker1", ["sh", "-c", damage])
    sent = commands(twins, monkeypatch, "deploy")["worker1"]
    print(f"five files of one host: {sent}")
    assert sent <= 4 + 5
    assert bare_lab.exec("worker1", ["sh", "-c", f"cd {ROOT}; cat 1 2 3 5 6"]).stdout.split() == list("12356")


def test_plan_and_result_are_the_same_without_it_on_hosts(
    twins: Project, bare_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hosts alike, damaged alike, again and again: one is asked together (by what it was asked before the damage),
    the other one question at a time. The plans, what the runs do, and what the hosts have afterwards are the same."""
    draw = random.Random(os.environ[SEED])  # noqa: S311 - a draw of lots, not a secret
    for drift in ([], *(draw.sample(DRIFTS, draw.randint(1, 5)) for _ in range(3))):
        print(drift)
        for host in TWINS:
            for damage in drift:
                bare_lab.exec(host, ["sh", "-c", damage.format(root=ROOT)])
        together, one_by_one = (_outcome(twins, bare_lab, host, monkeypatch) for host in TWINS)
        assert together == one_by_one
        for host in TWINS:
            bare_lab.exec(host, ["sh", "-c", CLEAR])


def _outcome(project: Project, lab: Lab, host: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    if host == TWINS[1]:
        monkeypatch.setenv("SLIPWAY_TOGETHER", "no")
    planned = project.slipway("plan", "--limit", host, "--json")
    done = project.slipway("deploy", "--limit", host, "--json")
    monkeypatch.delenv("SLIPWAY_TOGETHER", raising=False)
    plan = json.loads(planned.stdout)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    did = [(each["what"], each.get("outcome")) for each in events if each["kind"] == "operation"]
    return planned.returncode, plan["hosts"].get(host), done.returncode, did, lab.exec(host, ["sh", "-c", LOOK]).stdout


def test_a_host_that_grants_few_channels_is_served_all_the_same(twins: Project, bare_lab: Lab) -> None:
    """With MaxSessions 2 the lock and the command in hand take all there are: none can be opened ahead."""
    limit = "printf 'MaxSessions 2\\n' > /etc/ssh/sshd_config.d/few.conf; systemctl reload ssh"
    bare_lab.exec("worker1", ["sh", "-c", limit])
    try:
        done = twins.slipway("deploy", "--limit", "worker1")
        again = twins.slipway("deploy", "--limit", "worker1")
    finally:
        bare_lab.exec("worker1", ["sh", "-c", "rm /etc/ssh/sshd_config.d/few.conf; systemctl reload ssh"])
    assert done.returncode == 0, done.stderr
    assert (again.returncode, "No changes: all as wanted." in again.stderr) == (0, True), again.stderr


def test_units_are_told_together_as_each_by_itself(bare_lab: Lab) -> None:
    """Running, masked, unknown, a template's instance, an alias: one `systemctl` says it of all."""
    names = ["ssh.service", "sshd.service", "no-such.service", "getty@tty9.service", "getty.target", "sysinit.target"]
    questions = [question_of(UnitFact().command(unit), {}) for unit in names]
    mark = "0f" * 16

    def said(asked: list[Question]) -> list[Answer]:
        done = bare_lab.exec(TWINS[0], ["sh", "-c", text(mark, asked, 20).decode()])
        streams = (("stdout", done.stdout), ("stderr", done.stderr))
        lines = [OutputLine(name, line) for name, told in streams for line in told.splitlines()]
        return answers(mark, CommandOutput(lines), len(asked))

    together = said(questions)
    assert together == [found for question in questions for found in said([question])]
    assert [UnitFact().process(list(each.stdout)).load for each in together[:3]] == ["loaded", "loaded", "not-found"]
