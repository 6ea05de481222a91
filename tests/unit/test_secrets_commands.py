"""The commands of `slipway secrets`: what they do, what they refuse, and that no value shows anywhere."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.cli import main
from slipway.secrets import age, open_source
from slipway.secrets.versions import accepting, moved
from tests.wrong_project import CANARY, ROOT, WrongProject, bringing, wrong_project

NEW = "canary-0815-bmV3"
NAMES = ("postgres_password", "redis_password", "session_key")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Project(WrongProject):
    """The project, and a person with a home who calls commands in it."""

    def secrets(self, *words: str, given: str | bytes = "", **environment: str) -> Done:
        """A command of `slipway secrets`, in this process; nothing that it prints has a value in it."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        stdin = io.TextIOWrapper(io.BytesIO(given if isinstance(given, bytes) else given.encode()))
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
            patched.chdir(self.path)
            patched.setattr("sys.stdin", stdin)
            patched.setattr("os.environ", self.env(**environment))
            try:
                main(["secrets", *words])
            except SystemExit as ended:
                code = int(ended.code or 0)
        done = Done(code, out.getvalue(), err.getvalue())
        assert CANARY not in done.stdout + done.stderr
        assert NEW not in done.stdout + done.stderr
        return done

    def env(self, **more: str) -> dict[str, str]:
        named = {"PYTHONPATH": str(ROOT / "src"), "PYINFRA_PROGRESS": "off", "COLUMNS": "160", "HOME": str(self.home)}
        kept = {name: value for name, value in os.environ.items() if name not in (age.KEY, age.KEY_FILE, "VISUAL")}
        return {**kept, **named, **more}

    @property
    def home(self) -> Path:
        return self.path / "home"

    def value(self, name: str) -> str:
        spec = (self.path / "group_data/fleet.py").read_text().split('"')[1]
        return open_source(spec, self.path).get(name).reveal()

    def refused(self, *words: str, given: str | bytes = "", **environment: str) -> str:
        done = self.secrets(*words, given=given, **environment)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "HINT: " in done.stderr
        return done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(wrong_project(tmp_path).path)
    project.home.mkdir()
    return project


@pytest.fixture
def encrypted(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same, its secrets encrypted for a new key of this person."""
    monkeypatch.setenv("HOME", str(project.home))
    project.edit("group_data/fleet.py", "file:secrets.yaml", "age:secrets/fleet.age")
    assert project.secrets("init", "fleet").returncode == 0
    for name in NAMES:
        assert project.secrets("set", "fleet", name, given=f"{CANARY}-{name}\n").returncode == 0
    return project


def test_from_nothing_to_an_encrypted_source(encrypted: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """init, what it says to write into group_data, set: a valid project whose repository tells nobody a value."""
    monkeypatch.chdir(encrypted.path)
    assert encrypted.problems() == []
    assert {encrypted.value(name) for name in NAMES} == {f"{CANARY}-{name}" for name in NAMES}
    key = encrypted.home / ".config/slipway/age.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    in_git = b"".join(file.read_bytes() for file in (encrypted.path / "secrets").iterdir())
    assert CANARY.encode() not in in_git
    assert b"AGE-SECRET" not in in_git


def test_init_says_what_is_left_to_do_and_never_replaces(project: Project) -> None:
    """Which line goes where; a second one is refused, and a key that is there is kept."""
    done = project.secrets("init", "fleet")
    assert 'Name it in group_data/fleet.py:  secrets = "age:secrets/fleet.age"' in done.stdout
    key = (project.home / ".config/slipway/age.key").read_bytes()
    assert "secrets/fleet.age: is there already" in project.refused("init", "fleet")
    (project.path / "secrets/fleet.age").unlink()
    assert "Your key is new" not in project.secrets("init", "fleet").stdout
    assert (project.home / ".config/slipway/age.key").read_bytes() == key


def test_list_shows_names_versions_and_users_and_marks_what_is_missing(project: Project) -> None:
    """By whom each is needed, whether a role or a service; missing, placeholders, unused and in rotation."""
    project.edit("secrets.yaml", f"redis_password: {CANARY}-redis_password\n", "redis_password: changeme\n")
    project.edit(
        "secrets.yaml", f"session_key: {CANARY}-session_key\n", f"old: {CANARY}\npostgres_password.next: {NEW}\n"
    )
    rows = {row["name"]: row for row in json.loads(project.secrets("list", "fleet", "--json").stdout)}
    found = {name: (row["needed_by"], row["note"], row["is_wrong"]) for name, row in rows.items()}
    assert found == {
        "old": ([], "nobody asks for it", False),
        "postgres_password": ([], "in rotation: accepting both", False),
        "redis_password": (["role redis"], "is still a placeholder!", True),
        "session_key": (["api"], "is missing!", True),
    }
    assert rows["session_key"]["fingerprint"] == rows["redis_password"]["fingerprint"] == ""
    assert len(rows["old"]["fingerprint"]) == 16
    assert "│ session_key" in project.secrets("list", "fleet").stdout


def test_list_says_where_it_may_not_be_all(project: Project) -> None:
    """A project that is wrong elsewhere has a list nevertheless, and a line that says so."""
    project.edit("stacks/demo/compose.yaml", "image: redis:8", "image: 7")
    done = project.secrets("list", "fleet")
    assert done.returncode == 0
    assert "stacks/demo/compose.yaml:22: is wrong, so who needs what may not be all" in done.stderr


@pytest.mark.parametrize("kind", ["file", "age"])
def test_set_takes_the_value_from_standard_input(kind: str, request: pytest.FixtureRequest) -> None:
    """One line end at its end is the shell's; everything else is the value's. Others stay."""
    project = request.getfixturevalue("encrypted" if kind == "age" else "project")
    value = f' {NEW}: "é"\n# two\\ '
    done = project.secrets("set", "fleet", "session_key", given=value + "\n")
    assert done.returncode == 0, done.stderr
    assert "session_key is changed in" in done.stdout
    assert project.value("session_key") == value
    assert project.value("redis_password") == f"{CANARY}-redis_password"


def test_set_draws_values(project: Project) -> None:
    """32 letters and digits unless said; never the same twice."""
    for words in (["--generate"], ["--generate", "64"], ["--generate=64"]):
        assert project.secrets("set", "fleet", "drawn", *words).returncode == 0
        value = project.value("drawn")
        assert (len(value), value.isalnum(), value.isascii()) == (64 if words[-1] != "--generate" else 32, True, True)


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        (("set", "fleet", "a"), "", "a: the value is empty"),
        (("set", "fleet", "a"), " \n", "a: the value is empty"),
        (("set", "fleet", "a"), "ChangeMe\n", "a: the value is still a placeholder"),
        (("set", "fleet", "a"), f"{NEW}\0", "a: the value holds a NUL byte"),
        (("set", "fleet", "a", "--generate", "8"), "", "'8' is no length"),
        (("set", "fleet", "a b"), NEW, "'a b' is no name of one"),
        (("set", "fleet", "--", "-a"), NEW, "'-a' is no name of one"),
        (("set", "fleet", "session_key.next"), NEW, "'session_key.next' belongs to the rotation of 'session_key'"),
        (("set", "flete", "a"), NEW, "inventory flete: there is none of that name\n  HINT: did you mean 'fleet'?"),
        (("rotate", "fleet", "sesion_key"), "", "there is no secret 'sesion_key' to rotate\n  HINT: did you mean"),
        (("rotate", "fleet", "session_key.previous"), "", "belongs to the rotation of 'session_key'"),
        (("recipients", "list", "fleet"), "", "the source is not encrypted"),
        (("recipients", "add", "fleet", "age1x"), "", "the source is not encrypted"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(words, given: str, says: str, project: Project) -> None:
    """Exit 2, what it is, what to do, never a value."""
    before = (project.path / "secrets.yaml").read_bytes()
    assert says in project.refused(*words, given=given)
    assert (project.path / "secrets.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("env:SLIPWAY_TEST_", "a source of the kind env: is not written by Slipway\n  HINT: set the variable"),
        (
            "command:pass-show {name}",
            "of the kind command: is not written by Slipway\n  HINT: change it by that",
        ),
        ("vault:x", "'vault' is no secret source"),
    ],
)
def test_a_source_that_is_kept_elsewhere_is_not_written(source: str, says: str, project: Project) -> None:
    """It says what keeps it."""
    project.edit("group_data/fleet.py", "file:secrets.yaml", source)
    for words in (("set", "fleet", "a"), ("edit", "fleet")):
        assert says in project.refused(*words, given=NEW)


def test_an_inventory_without_a_source_is_told_how_to_get_one(project: Project) -> None:
    """No command ends with a question."""
    project.write("group_data/fleet.py", "x_nothing = 1\n")
    assert "HINT: ./slipway secrets init fleet makes an encrypted one" in project.refused("list", "fleet")


def test_bytes_that_are_no_text_are_refused(project: Project) -> None:
    """A secret is text; what is to be done with a binary one is said."""
    told = project.refused("set", "fleet", "a", given=b"\xff" * 9)
    assert told == "a: the value is not UTF-8 text\n  HINT: encode it, as base64 does\n"


def test_a_typed_value_is_not_echoed_and_stands_in_no_argument(encrypted: Project) -> None:
    """At a terminal it is asked for twice; neither the screen nor `ps` shows it."""
    words = [sys.executable, "-m", "slipway", "secrets", "set", "fleet", "session_key"]
    pid, terminal = pty.fork()
    if pid == 0:  # the command, with a terminal of its own
        os.chdir(encrypted.path)
        os.execve(words[0], words, encrypted.env())  # noqa: S606
    shown, arguments = b"", b""
    for prompt in (b"Value of session_key:", b"Repeat for confirmation:"):
        while prompt not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, f"{NEW}\n".encode())
        arguments += Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    while b"brings it" not in shown:
        shown += os.read(terminal, 1024)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert NEW.encode() not in shown + arguments
    assert encrypted.value("session_key") == NEW


def editor(project: Project, script: str) -> dict[str, str]:
    """An editor that is a script; what it saw is noted in the file `seen`."""
    file = project.path / "editor"
    file.write_text(f'#!/bin/sh\nls -ld "$(dirname "$1")" "$1" > seen; cp "$1" held; echo "$1" > where; {script}\n')
    file.chmod(0o755)
    return {"EDITOR": str(file)}


def test_edit_is_in_memory_its_owners_alone_and_gone_afterwards(encrypted: Project) -> None:
    """The editor sees the text in a file 0600 in a directory 0700 on no disk; what it leaves is encrypted again."""
    done = encrypted.secrets("edit", "fleet", **editor(encrypted, f'sed -i s/{CANARY}-session_key/{NEW}/ "$1"'))
    assert done.returncode == 0, done.stderr
    assert encrypted.value("session_key") == NEW
    folder, file = (line[:10] for line in (encrypted.path / "seen").read_text().splitlines())
    assert (folder, file) == ("drwx------", "-rw-------")
    where = Path((encrypted.path / "where").read_text().strip())
    assert where.is_relative_to("/dev/shm")
    assert not where.parent.exists()


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("true", 0, "is as it was"),
        ("exit 3", 2, "ended with 3: nothing was changed"),
        ('echo "a: [" >> "$1"', 2, "what you wrote:6 is not valid YAML"),
        ('echo "session_key: again" >> "$1"', 2, "gives 'session_key' a second value"),
        ('printf "a: \\377" >> "$1"', 2, "what you wrote is not UTF-8"),
        ('rm "$1"; mkdir "$1"', 2, "what you wrote cannot be read: Is a directory"),
    ],
)
def test_an_edit_that_comes_to_nothing_writes_nothing(script: str, code: int, says: str, encrypted: Project) -> None:
    """Unchanged, failed, or not to be read: the file is byte for byte what it was, and nothing stays in memory."""
    before = (encrypted.path / "secrets/fleet.age").read_bytes()
    done = encrypted.secrets("edit", "fleet", **editor(encrypted, script))
    assert (done.returncode, says in done.stdout + done.stderr) == (code, True), done.stderr
    assert (encrypted.path / "secrets/fleet.age").read_bytes() == before
    assert not Path((encrypted.path / "where").read_text().strip()).parent.exists()


def test_an_editor_that_is_not_there_is_told(project: Project) -> None:
    """Instead of a traceback over a file of secrets."""
    assert "editor /nowhere/vi: No such file" in project.refused("edit", "fleet", EDITOR="/nowhere/vi")


def test_an_edit_that_is_ended_leaves_nothing_in_memory(encrypted: Project) -> None:
    """A closed terminal: the text is gone with the command."""
    words = [sys.executable, "-m", "slipway", "secrets", "edit", "fleet"]
    environment = encrypted.env(**editor(encrypted, "exec sleep 60"))
    running = subprocess.Popen(words, cwd=encrypted.path, env=environment, stdin=subprocess.DEVNULL)
    where = encrypted.path / "where"
    deadline = time.monotonic() + 30  # it starts within a second or two
    while not (where.exists() and where.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGHUP)
    assert running.wait(timeout=20) == 128 + signal.SIGHUP
    assert not Path(where.read_text().strip()).parent.exists()


def test_people_come_and_go(encrypted: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one reads at once, by the line of their SSH key or the path of its file; one who goes, no more."""
    theirs = tmp_path / "theirs"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "grace@laptop", "-f", str(theirs)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    done = encrypted.secrets("recipients", "add", "fleet", f"{theirs}.pub")
    assert "can now be read by grace@laptop (ssh-ed25519" in done.stdout
    assert (
        "can be read by"
        in encrypted.secrets("recipients", "add", "fleet", *Path(f"{theirs}.pub").read_text().split()).stdout
    )
    assert len(encrypted.secrets("recipients", "list", "fleet").stdout.splitlines()) == 2
    with monkeypatch.context() as patched:
        patched.setenv(age.KEY_FILE, str(theirs))
        assert encrypted.value("session_key") == f"{CANARY}-session_key"
    done = encrypted.secrets("recipients", "remove", "fleet", "grace@laptop")
    assert "no longer encrypted for grace@laptop" in done.stdout
    assert "rotate fleet NAME, for each" in done.stdout
    assert "no recipient" in encrypted.refused("recipients", "remove", "fleet", "grace@laptop")
    told = encrypted.refused("list", "fleet", **{age.KEY_FILE: str(theirs)})
    assert f"none of your keys opens it ({theirs})" in told
    assert encrypted.value("session_key") == f"{CANARY}-session_key"


def test_the_last_reader_stays(encrypted: Project) -> None:
    """Nobody can close the file to themselves; list and file are as they were."""
    files = [encrypted.path / "secrets/fleet.age", encrypted.path / "secrets/fleet.age.recipients"]
    before = [file.read_bytes() for file in files]
    own = encrypted.secrets("recipients", "list", "fleet").stdout.split()[0]
    assert "names nobody who may read" in encrypted.refused("recipients", "remove", "fleet", own)
    assert [file.read_bytes() for file in files] == before


def test_a_recipient_that_is_none_is_refused_and_not_shown(encrypted: Project) -> None:
    """It might be a private key, taken for the public one."""
    told = encrypted.refused("recipients", "add", "fleet", f"AGE-SECRET-KEY-1{NEW}")
    assert "recipient: is no public key for age" in told


def test_a_login_that_would_not_move_is_refused_before_anything_is_written(project: Project) -> None:
    """A service that is given the password and names its login itself: told with what to write instead."""
    project.edit("stacks/demo/compose.yaml", "secrets: [session_key]", "secrets: [session_key, postgres_password]")
    project.write("deploy.py", bringing("postgres", "postgres"))
    before = (project.path / "secrets.yaml").read_bytes()
    told = project.refused("rotate", "fleet", "postgres_password")
    assert (
        "secret postgres_password: the server knows one password for each login, and api would keep the old login"
        in told
    )
    assert "write ${SLIPWAY_LOGIN_postgres_password:-demo} for the login" in told
    assert (project.path / "secrets.yaml").read_bytes() == before


@pytest.mark.parametrize(("edit", "phase"), [(accepting, "accepting both"), (moved, "moved to the new one")])
def test_a_secret_in_rotation_is_not_set(edit, phase: str, project: Project) -> None:
    """One way at a time; and a rotation that cannot reach its hosts says how to go on with it."""
    values = edit("session_key", NEW) if edit is accepting else edit("session_key", CANARY, NEW, 1.7e9)
    for name, value in values.items():
        if value is not None and name != "session_key":
            project.append("secrets.yaml", f"{name}: '{value}'\n")
    told = project.refused("set", "fleet", "session_key", given=NEW)
    assert "'session_key' is being rotated\n  HINT: finish it: ./slipway secrets rotate fleet session_key" in told
    rows = json.loads(project.secrets("list", "fleet", "--json").stdout)
    assert [row["note"] for row in rows if row["name"] == "session_key"] == [f"in rotation: {phase}"]


def test_sops_and_pass_are_commands(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of `command:` carries what SOPS wants to be asked, quotes and brackets and all."""
    program = project.path / "sops"
    program.write_text('#!/bin/sh\n[ "$1 $2 $4" = "decrypt --extract enc.yaml" ] || exit 1\necho "value of $3"\n')
    program.chmod(0o755)
    spec = f"command:{program} decrypt --extract '[\"{{name}}\"]' enc.yaml"
    assert open_source(spec, project.path).get("db_password").reveal() == 'value of ["db_password"]'
    project.write("group_data/fleet.py", f"secrets = {spec!r}\n")
    monkeypatch.chdir(project.path)
    assert project.problems() == []
