"""Files on real hosts: the old one or the new one, never half, never one its program refuses, never a secret shown."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.lab.lab import Lab
from tests.project import Project

pytestmark = pytest.mark.hosts

PLACE = "/srv/files"
HOSTS = ("worker1", "worker2", "worker3")
CANARY = "canary-7c0ffee7"
"""In every secret of these tests; it must be found nowhere but in its file."""


def on(lab: Lab, host: str, command: str) -> str:
    done = lab.exec(host, ["sh", "-c", command])
    assert done.code == 0, done.stderr
    return done.stdout


def names_in(lab: Lab, host: str, place: str = PLACE) -> list[str]:
    """What lies in a directory, hidden files too: nothing temporary may be among it."""
    return on(lab, host, f"ls -A {place}").split()


@pytest.fixture(autouse=True)
def empty_place(bare_lab: Lab) -> None:
    for host in HOSTS:
        on(bare_lab, host, f"umount -q {PLACE} || :; rm -rf {PLACE} /var/lib/slipway/owed; mkdir -p {PLACE}")


@dataclass(frozen=True)
class Case:
    """One file: its name in PLACE and its content."""

    name: str
    content: bytes


DEPLOY_CASES = """
    import base64, json
    from slipway.ops import files
    for case in json.load(open("cases.json")):
        files.put(name="Write a file", path="/srv/files/" + case["name"], content=base64.b64decode(case["content"]))
"""


def write_cases(project: Project, cases: Sequence[Case]) -> None:
    rows = [{"name": each.name, "content": base64.b64encode(each.content).decode()} for each in cases]
    project.write("cases.json", json.dumps(rows))
    project.write("deploy.py", DEPLOY_CASES)


def hashes(lab: Lab, host: str) -> Mapping[str, str]:
    """Name to SHA-256 of every file in PLACE, whatever is in the names."""
    said = on(lab, host, f"cd {PLACE}; find . -type f -print0 | xargs -0 -r sha256sum -z --")
    rows = (row.partition("  ./") for row in said.split("\0") if row)
    return {name: digest for digest, _, name in rows}


def wanted_hashes(cases: Sequence[Case]) -> Mapping[str, str]:
    return {each.name: hashlib.sha256(each.content).hexdigest() for each in cases}


KINDS = [
    Case("text", b"one\ntwo\n"),
    Case("no-newline", b"one\ntwo"),
    Case("empty", b""),
    Case("crlf", b"one\r\ntwo\r\n"),
    Case("bom", b"\xef\xbb\xbfone\n"),
    Case("latin-1", "naïve café\n".encode("latin-1")),
    Case("binary", bytes(range(256)) * 16),
    Case("large", bytes(n * n % 251 for n in range(1024)) * 1024),
    Case("with blanks", b"1"),
    Case('it\'s "quoted"', b"2"),
    Case("new\nline", b"3"),
    Case("$(touch canary)`touch canary`", b"4"),
    Case("-rf", b"5"),
    Case(".hidden", b"6"),
    Case("*", b"7"),
    Case("ünï-ço∂é", b"8"),
    Case("back\\slash", b"$(touch /srv/canary); touch /srv/canary\n`touch /srv/canary`\n{{ 7 * 7 }} %(x)s {x} $HOME\n"),
]


def test_any_bytes_and_any_name_arrive_as_they_are_and_a_second_run_changes_nothing(
    project: Project, bare_lab: Lab
) -> None:
    """Text, CRLF, BOM, other encodings, binary, nothing, a megabyte; names with blanks, quotes, newlines, commands."""
    both_debians = HOSTS[:2]
    project.inventory(web=list(both_debians))
    write_cases(project, KINDS)
    done = project.slipway("deploy")
    assert done.returncode == 0, done.stderr
    assert [hashes(bare_lab, host) for host in both_debians] == [wanted_hashes(KINDS)] * 2
    before = [on(bare_lab, host, f"stat -c '%i %Z' {PLACE}/*") for host in both_debians]
    again = project.slipway("deploy", "-v")
    assert (again.returncode, again.stderr.count(": unchanged")) == (0, 2 * len(KINDS)), again.stderr
    assert [on(bare_lab, host, f"stat -c '%i %Z' {PLACE}/*") for host in both_debians] == before
    assert "canary" not in on(bare_lab, "worker1", "ls /srv /root /home/ops")


def hostile_cases(wanted: int) -> list[Case]:
    """Names and contents that hypothesis makes up: the same ones on every run."""
    found: dict[str, bytes] = {}
    letters = st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",))
    spiced = st.sampled_from(
        ["; touch /srv/canary", "$(touch /srv/canary)", "' \" `", "{{ x }}", "\n\r", "--", "\\", "%s"]
    )
    names = st.one_of(
        st.text(letters, min_size=1, max_size=40), st.builds("{}{}".format, spiced, st.text(letters, max_size=20))
    )

    @settings(max_examples=wanted, derandomize=True, database=None)
    @given(
        names, st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
    )
    def collect(name: str, content: bytes) -> None:
        name = name.replace("/", "|")
        if name not in (".", "..") and len(name.encode()) <= 200:
            found[name] = content

    collect()
    return [Case(name, content) for name, content in found.items()]


def test_hostile_names_and_contents_are_written_and_never_run(project: Project, bare_lab: Lab) -> None:
    """Generated names and contents, one deploy: each file is there byte for byte, and no command in one has run."""
    cases = hostile_cases(80)
    print(f"{len(cases)} generated files")
    assert len(cases) >= 40
    write_cases(project, cases)
    done = project.slipway("deploy", "--limit", "worker1")
    assert done.returncode == 0, done.stderr
    assert hashes(bare_lab, "worker1") == wanted_hashes(cases)
    assert on(bare_lab, "worker1", "ls -d /srv/canary 2>/dev/null || :") == ""


def test_a_path_that_cannot_be_a_files_is_refused_before_any_change(project: Project, bare_lab: Lab) -> None:
    """A relative path, a directory's, one with a NUL byte: each is told, and the good one is not written."""
    put = "files.put(name='Write', path={!r}, content='x')\n"
    for path, why in (("etc/motd", "no file's path"), ("/srv/files/", "no file's path"), ("/srv/files/a\0b", "NUL")):
        text = put.format(f"{PLACE}/good") + put.format(path)
        project.write("deploy.py", f"from slipway.ops import files\n{text}")
        done = project.slipway("deploy", "--limit", "worker1")
        assert done.returncode in (1, 2)
        assert why in done.stderr
        assert "Traceback" not in done.stderr
    assert names_in(bare_lab, "worker1") == []


def test_drift_of_every_kind_is_named_and_mended(project: Project, bare_lab: Lab) -> None:
    """Content, mode, owner, a truncated file, a link in its place: the plan says which, the deploy puts it right."""
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        for name in ("content", "mode", "owner", "truncated", "linked"):
            files.put(name="Write it", path=f"/srv/files/{name}", content="wanted\\n", mode="640", group="daemon")
        """,
    )
    assert project.slipway("deploy").returncode == 0
    stat = f"stat -c '%n %F %a %U:%G' {PLACE}/*"
    wanted, inode = on(bare_lab, "worker1", stat), on(bare_lab, "worker1", f"stat -c %i {PLACE}/mode {PLACE}/owner")
    on(
        bare_lab,
        "worker1",
        f"cd {PLACE}; echo by-hand >> content; chmod 666 mode; chown daemon:root owner; : > truncated; "
        "echo precious > /srv/precious; chmod 600 /srv/precious; ln -sf /srv/precious linked",
    )
    plan = project.slipway("plan")
    assert plan.returncode == 3
    for line in (
        f"{PLACE}/content: content",
        "-by-hand",
        f"{PLACE}/mode: mode 666 -> 640",
        f"{PLACE}/owner: owner daemon -> root, group root -> daemon",
        f"{PLACE}/truncated: content",
        f"{PLACE}/linked: a link is in its place",
    ):
        assert line in plan.stdout
    assert project.slipway("deploy").returncode == 0
    assert on(bare_lab, "worker1", stat) == wanted
    assert on(bare_lab, "worker1", f"cat {PLACE}/*") == "wanted\n" * 5
    assert on(bare_lab, "worker1", "cat /srv/precious; stat -c %a /srv/precious") == "precious\n600\n"
    assert on(bare_lab, "worker1", f"stat -c %i {PLACE}/mode {PLACE}/owner") == inode
    assert project.slipway("plan").returncode == 0


def test_a_refused_file_leaves_the_old_one_and_says_why(project: Project, bare_lab: Lab) -> None:
    """Its check, an unknown owner, a directory in its place: the old one stands, and nothing lies beside it."""
    project.write(
        "deploy.py",
        """
        from pyinfra import host
        from slipway.ops import files
        checks = {"worker1": ["sh", "-c", 'grep -n broken "$1" && exit 3', "check", files.CANDIDATE]}
        files.put(name="Write it", path="/srv/files/conf", content="broken line\\n", check=checks.get(host.name, ()),
                  owner="nobody-at-all" if host.name == "worker2" else "root")
        """,
    )
    for host in ("worker1", "worker2"):
        on(bare_lab, host, f"echo old > {PLACE}/conf")
    on(bare_lab, "worker3", f"mkdir {PLACE}/conf")
    done = project.slipway("deploy")
    assert done.returncode == 1
    assert [names_in(bare_lab, host) for host in HOSTS] == [["conf"]] * 3
    assert [on(bare_lab, host, f"cat {PLACE}/conf") for host in ("worker1", "worker2")] == ["old\n"] * 2
    assert f"{PLACE}/conf was left as it is: its check refuses the new one" in done.stderr
    assert "1:broken line" in done.stderr
    assert "nobody-at-all" in done.stderr
    assert "a directory is in its place" in done.stderr


def test_a_check_sees_the_candidate_with_its_mode_before_it_is_live(project: Project, bare_lab: Lab) -> None:
    """`{candidate}` stands for the new content in the same directory, while programs still read the old file."""
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        check = ["sh", "-c", 'cat "$1" "${1%/*}/conf" > /srv/seen; stat -c %a "$1" >> /srv/seen', "x", files.CANDIDATE]
        files.put(name="Write it", path="/srv/files/conf", content="new\\n", mode="604", check=check)
        """,
    )
    on(bare_lab, "worker1", f"echo old > {PLACE}/conf")
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    assert on(bare_lab, "worker1", "cat /srv/seen") == "new\nold\n604\n"
    assert on(bare_lab, "worker1", f"cat {PLACE}/conf") == "new\n"


def test_a_full_disk_or_a_read_only_one_leaves_the_old_file(project: Project, bare_lab: Lab) -> None:
    """One clear error that names the file and the reason; the old content stands and nothing temporary is left."""
    on(bare_lab, "worker1", f"mount -t tmpfs -o size=64k none {PLACE}; echo old > {PLACE}/conf")
    on(bare_lab, "worker2", f"mount -t tmpfs -o nr_inodes=2 none {PLACE}; echo old > {PLACE}/conf")
    on(bare_lab, "worker3", f"mount -t tmpfs none {PLACE}; echo old > {PLACE}/conf; mount -o remount,ro {PLACE}")
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        files.put(name="Write it", path="/srv/files/conf", content="x" * 1_000_000)
        """,
    )
    try:
        done = project.slipway("deploy")
        assert [names_in(bare_lab, host) for host in HOSTS] == [["conf"]] * 3
        assert [on(bare_lab, host, f"cat {PLACE}/conf") for host in HOSTS] == ["old\n"] * 3
    finally:
        for host in HOSTS:
            on(bare_lab, host, f"umount {PLACE}")
    assert done.returncode == 1
    for host, why in zip(HOSTS, ("No space left", "No space left", "Read-only file system"), strict=True):
        told = [line for line in done.stderr.splitlines() if line.startswith(f"{host}: ")]
        assert why in told[0] and f"{PLACE}/conf was left as it is" in told[0], done.stderr


def test_an_upload_cut_short_leaves_the_old_file(project: Project, bare_lab: Lab) -> None:
    """The connection dies in the middle of a large file: the run fails, the old file stands, the half one is gone."""
    on(bare_lab, "worker1", f"echo old > {PLACE}/conf")
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        files.put(name="Write it", path="/srv/files/conf", content=b"0123456789abcdef" * 4_000_000)
        """,
    )
    run = project.popen("deploy", "--limit", "worker1")
    # Once part of it is there, every sshd that serves a session is killed: SIGKILL, so that none says goodbye.
    cut = f"""
        until find {PLACE} -name '.slipway.*' -size +64k | grep -q .; do sleep 0.02; done
        kill -9 $(pgrep -f '^sshd[^ ]*: ops')
    """
    on(bare_lab, "worker1", f"timeout 60 sh -c {shlex.quote(cut)}")
    _, told = run.communicate(timeout=90)
    assert run.returncode == 1, told
    assert _soon(lambda: names_in(bare_lab, "worker1") == ["conf"]), names_in(bare_lab, "worker1")
    assert on(bare_lab, "worker1", f"cat {PLACE}/conf") == "old\n"


def _soon(claim: object, seconds: float = 5) -> bool:
    """Whether it comes true while the host still cleans up after its lost connection."""
    assert callable(claim)
    end = time.monotonic() + seconds
    while not claim() and time.monotonic() < end:
        time.sleep(0.1)  # polling the host; bounded by `seconds`
    return bool(claim())


FAKE_MV = "#!/bin/sh\\nkill -9 $PPID\\n"
"""Ahead of the real mv on PATH: kills the script that calls it, just before it renames the file."""


def test_what_a_file_owes_is_noted_before_the_rename_and_paid_once(project: Project, bare_lab: Lab) -> None:
    """Killed between the two, nothing has changed yet; the next run finishes, tidies up and restarts exactly once."""
    unit = '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sh -c "echo started >> /srv/files/trace"\\n'
    on(bare_lab, "worker1", f"printf '{unit}' > /run/systemd/system/owing.service; systemctl daemon-reload")
    on(bare_lab, "worker1", "systemctl start owing; rm -f /srv/files/trace")
    on(
        bare_lab,
        "worker1",
        f"echo old > {PLACE}/conf; printf '{FAKE_MV}' > /usr/local/sbin/mv; chmod 755 /usr/local/sbin/mv",
    )
    project.write(
        "deploy.py",
        """
        from slipway.ops import files, units
        files.put(name="Write it", path="/srv/files/conf", content="new\\n", owes=["restart:owing.service"])
        units.settle(name="Restart it", unit="owing.service", action="restart")
        """,
    )
    killed = project.slipway("deploy", "--limit", "worker1")
    on(bare_lab, "worker1", "rm /usr/local/sbin/mv")
    assert killed.returncode == 1
    assert on(bare_lab, "worker1", f"cat {PLACE}/conf; ls /var/lib/slipway/owed") == "old\nrestart:owing.service\n"
    assert len(names_in(bare_lab, "worker1")) == 2
    for _ in range(2):
        assert project.slipway("deploy", "--limit", "worker1").returncode == 0
        assert on(bare_lab, "worker1", f"cd {PLACE}; cat conf trace") == "new\nstarted\n"
        assert names_in(bare_lab, "worker1") == ["conf", "trace"]
    assert on(bare_lab, "worker1", "ls /var/lib/slipway/owed") == ""


WATCH = """
    while :; do
      cat /srv/files/* /srv/files/.slipway.* /tmp/* /proc/[0-9]*/cmdline 2>/dev/null |
        tr '\\0' '\\n' | grep -aoE 'canary-[0-9a-z]*|control'
      echo polled
      sleep 0.01
    done
"""
SECRETS = """
    from slipway.ops import files
    from slipway.secrets import Secret
    value = "{value}"
    files.put(name="Write the control", path="/srv/files/control", content="control " + "x" * {size})
    for number in range(5):
        path = f"/srv/files/secret{{number}}"
        files.put(name="Write a secret", path=path, content=Secret(f"{{number}} {{value}}" + "x" * {size}), mode="0600")
    files.put(name="Write a text", path="/srv/files/text", content=f"password={{value}}", mode="600", secret=True)
"""


def test_a_secret_is_seen_by_nobody_and_printed_nowhere(project: Project, bare_lab: Lab) -> None:
    """Another user reads all files and argument lists as fast as it can, through a first write and a rotation."""
    watched = shlex.quote(WATCH)
    on(
        bare_lab,
        "worker1",
        f"systemd-run -q --unit=watch --uid=nobody -p StandardOutput=truncate:/run/watched sh -c {watched}",
    )
    started = time.monotonic()
    project.write("deploy.py", SECRETS.format(value=f"{CANARY}-old", size=300_000))
    project.inventory(web=["worker1"])
    runs = [project.slipway("plan"), project.slipway("deploy", "-v")]
    project.write("deploy.py", SECRETS.format(value=f"{CANARY}-new", size=300_000))
    runs += [project.slipway("plan"), project.slipway("plan", "--json")]
    runs += [project.pyinfra("-y", "-vvv", "--debug", "--diff", "deploy.py")]
    seconds = time.monotonic() - started
    on(bare_lab, "worker1", "systemctl stop watch")
    seen = on(bare_lab, "worker1", "cat /run/watched").split()
    assert [run.returncode for run in runs] == [3, 0, 3, 3, 0], _last(runs)
    print(f"{seen.count('polled')} looks in {seconds:.1f} s, the control seen {seen.count('control')} times")
    assert seen.count("control") > 10
    assert not any(CANARY in word for word in seen)
    assert f"{CANARY}-new" in on(bare_lab, "worker1", f"cat {PLACE}/secret4 {PLACE}/text")
    assert [CANARY in run.stdout + run.stderr for run in runs] == [False] * len(runs)
    assert CANARY not in on(
        bare_lab, "worker1", "journalctl --no-pager --output=cat; grep -rs canary- /var/log /tmp || :"
    )


def _last(runs: Sequence[subprocess.CompletedProcess[str]]) -> str:
    return "\n".join(run.stderr[-600:] for run in runs)


def test_directories_links_and_absences_are_brought_about_and_kept(project: Project, bare_lab: Lab) -> None:
    """What a dead run left, drift of mode and target, and what is to go: all mended by one run, none by the next."""
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        files.directory(name="Make a directory", path="/srv/files/new/deep", mode="750", group="daemon")
        files.directory(name="Keep a directory", path="/srv/files/shared", mode="755")
        files.link(name="Switch a link", path="/srv/files/link", target="right\\nthere $(x)")
        for name in ("file", "dangling", "empty", "never"):
            files.absent(name="Remove it", path=f"/srv/files/{name}")
        """,
    )
    on(
        bare_lab,
        "worker1",
        f"cd {PLACE}; mkdir -m 2770 shared; mkdir empty; echo x > file; "
        "ln -s wrong link; ln -s nowhere dangling; ln -s shared link.slipway-new",
    )
    plan = project.slipway("plan", "--limit", "worker1")
    assert f"{PLACE}/shared: mode 2770 -> 755" in plan.stdout
    assert f"{PLACE}/dangling: link removed" in plan.stdout
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    assert names_in(bare_lab, "worker1") == ["link", "new", "shared"]
    assert on(bare_lab, "worker1", f"cd {PLACE}; stat -c '%a %U:%G' new/deep shared; readlink link") == (
        "750 root:daemon\n755 root:root\nright\nthere $(x)\n"
    )
    assert project.slipway("plan", "--limit", "worker1").returncode == 0


def test_what_is_in_the_way_of_a_directory_link_or_absence_is_refused(project: Project, bare_lab: Lab) -> None:
    """A link out where a directory belongs, a directory where a link belongs, a full directory: left, and said why."""
    on(bare_lab, "worker1", f"mkdir -p /srv/out; chmod 755 /srv/out; cd {PLACE}; ln -s /srv/out directory")
    on(bare_lab, "worker1", f"cd {PLACE}; mkdir link absent; echo precious | tee link/file > absent/file")
    calls = {
        "a directory belongs there": "files.directory(name='Make it', path='/srv/files/directory', mode='700')",
        "a link belongs there": "files.link(name='Link it', path='/srv/files/link', target='/srv')",
        "not empty": "files.absent(name='Remove it', path='/srv/files/absent')",
    }
    for why, call in calls.items():
        project.write("deploy.py", f"from slipway.ops import files\n{call}\n")
        done = project.slipway("deploy", "--limit", "worker1")
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert on(bare_lab, "worker1", f"stat -c %a /srv/out; cat {PLACE}/*/file") == "755\nprecious\nprecious\n"
    assert names_in(bare_lab, "worker1") == ["absent", "directory", "link"]


MANAGED = """
    from slipway.ops import dropins, files, names, secret_files, tree
    from slipway.ops.secret_files import SecretDirectory, SecretFile
    from slipway.secrets import Secret
    files.put(name="Write it", path="/srv/files/conf", content="wanted")
    dropins.drop_in(name="Write a drop-in", unit="slip-none.service", content="[Service]\\nLimitCORE=1\\n")
    names.fleet(name="Write fleet names", addresses={"10.1.2.3": ["somebody"]})
    tree.staged(name="Stage a tree", root="/srv/files/tree",
                files={"a.conf": tree.TreeFile("a"), "sub/b.conf": tree.TreeFile(Secret("b"), "600")})
    key = SecretFile("deep/key", Secret("k3y-of-nobody"), 0o400, 1000, 1000)
    secret_files.present(name="Write the secrets", stack="slip", directories=[SecretDirectory("slip-1", (key,))])
"""


def subjects(project: Project) -> tuple[set[str], set[str]]:
    """What the plan says is managed on worker1, and what it says would change there."""
    plan = json.loads(project.slipway("plan", "--json", "--limit", "worker1").stdout)
    changes = [change for operation in plan["hosts"].get("worker1", []) for change in operation["changes"]]
    return set(plan["managed"]["worker1"]), {change["subject"] for change in changes}


def test_what_is_called_managed_is_shown_when_it_is_edited(project: Project, bare_lab: Lab) -> None:
    """Whole files are managed by their paths, a tree's and secrets' too; one of which a part is ours is not."""
    project.write("deploy.py", MANAGED)
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    managed, changing = subjects(project)
    assert changing == set()
    assert managed == {
        f"{PLACE}/conf",
        f"{PLACE}/tree/current/a.conf",
        f"{PLACE}/tree/current/sub/b.conf",
        "/etc/systemd/system/slip-none.service.d/50-slipway.conf",
        "/var/lib/slipway/secrets/slip-1/deep/key",
    }
    for path in managed:
        on(bare_lab, "worker1", f"echo by-hand >> {path}")
    assert subjects(project) == (managed, managed)
    shown = project.slipway("plan", "--limit", "worker1")
    assert shown.stdout.count("by-hand") == len(managed) - 2, "a diff for each but the two secrets"
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    assert subjects(project) == (managed, set())
    on(bare_lab, "worker1", "rm -r /etc/systemd/system/slip-none.service.d /var/lib/slipway/secrets/slip-1")
