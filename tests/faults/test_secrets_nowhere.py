"""Every secret is a word that stands nowhere else: it is found in the few files that are made for it, and nowhere else.

Watched while runs go on, as somebody without rights; searched afterwards, everything that the host and the controller
keep. What the watching and the searching would find is shown with a word that is planted in each kind of place.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import WHOLE
from tests.faults.canaries import Found, Prying, files_with, is_told, prying, search
from tests.faults.house import LONGEST_SECONDS, SECRETS, House, secret_word
from tests.faults.sweep import Sweep

pytestmark = pytest.mark.hosts

LOOKS_A_SECOND = 25
"""Fifty are meant; half of that where the machine is busy with several labs. The rate is printed."""

HOLDS_THEM = re.compile(
    r"/var/lib/slipway/secrets/demo-[^/]+/run/[a-z_]+"  # for containers, each mounted into those that need it
    r"|/etc/nginx/slipway/[^/]+/.*\.key"
)
"""Files of a host that are made to hold secrets."""

TRACEBACK = """
def tasks(data, ctx):
    password, held = ctx.secret(data.password), ctx.secret(data.password).reveal()
    raise RuntimeError(f"forced: {password} {data!r} {ctx!r} {ctx.secrets!r}")
"""
"""A role with a mistake, which fails with everything that it has at hand in its message."""


@dataclass
class Heard:
    """What the runs of this module said, and what could be seen on the host meanwhile."""

    secrets: dict[str, str]
    """Every value that there ever was, by name."""
    said: dict[str, str] = field(default_factory=dict)
    """Output by what was run."""
    seen: Prying = field(default_factory=Prying)

    def hear(self, what: str, done: subprocess.CompletedProcess[str], *codes: int) -> None:
        self.said[what] = f"{done.stdout}{done.stderr}"
        assert done.returncode in (codes or (0,)), f"{what}: {done.returncode}\n{self.said[what]}"


@pytest.fixture(scope="module")
def heard(house: House, sweep: Sweep) -> Iterator[Heard]:
    """Every secret rotated, a run that fails, one that stumbles over a mistake, and every command that only looks."""
    sweep.go("A")
    heard = Heard({f"first {name}": value for name, value in house.secrets.items()})
    heard.said["the first deploy"] = house.output
    heard.said["its remote commands"] = house.calls_of_first
    house.secrets = {name: secret_word(name) for name in SECRETS}
    house.write_secrets()
    heard.secrets |= house.secrets
    with prying(house.lab, house.host, heard.secrets) as seen:
        _rotated(house, heard)
        _failed(house, heard)
        _looked(house, heard)
    heard.seen += seen
    heard.seen += house.seen
    yield heard
    # Either version has other secrets now, so that its release has another name; and what failed is still on record.
    house.choose("A")
    house.deploy()
    sweep.at, sweep.wanted, sweep.calls = "A", {}, {}
    for _ in ("B", "A"):
        sweep.unbroken()


def _rotated(house: House, heard: Heard) -> None:
    """A plan that shows all that changes, and the change itself with everything that pyinfra can say."""
    heard.hear("plan --json", house.slipway("plan", "house", "--json"), 3)
    heard.hear("plan on a terminal", on_a_terminal(house, "plan", "house"), 3)
    heard.hear("pyinfra -vvv --debug", house.pyinfra("-y", "-vvv", "--debug", "--diff"))
    if os.environ.get(WHOLE):  # they say less than that
        heard.hear("pyinfra -v", house.pyinfra("-y", "-v"))
        heard.hear("pyinfra -vv", house.pyinfra("-y", "-vv"))


def _failed(house: House, heard: Heard) -> None:
    """A release that does not come up, and a mistake in a role, both told at length."""
    house.break_release()
    heard.hear("a deploy that fails", house.slipway("deploy", "house", "-v", SLIPWAY_TRACE="trace.jsonl"), 1)
    tasks = house.path / "roles/redis/tasks.py"
    text = tasks.read_text(encoding="utf-8")
    house.write("roles/redis/tasks.py", f"{text}\n{TRACEBACK}")
    heard.hear("a mistake in a role", house.slipway("deploy", "house", "-v"), 1, 2)
    heard.hear("a mistake, under pyinfra", house.pyinfra("-y", "-vvv", "--debug"), 1, 2)
    assert any("forced" in heard.said[what] for what in ("a mistake in a role", "a mistake, under pyinfra"))
    house.write("roles/redis/tasks.py", text)


def _looked(house: House, heard: Heard) -> None:
    """Every command that shows something."""
    house.choose("A")
    heard.hear("a deploy that mends", house.slipway("deploy", "house", "--json"))
    history = house.slipway("history", "house")
    heard.hear("history", history)
    ids = list(dict.fromkeys(re.findall(r"\b[0-9a-f]{12}\b", history.stdout)))
    heard.hear("show", house.slipway("show", "house", ids[0]))
    if len(ids) > 1:
        heard.hear("diff", house.slipway("diff", "house", *ids[:2]), 0, 1, 3)
    heard.hear("status", house.slipway("status", "house", "--json"), 0, 1)
    heard.hear("audit", house.slipway("audit", "house"))
    heard.hear("doctor", house.slipway("doctor", "house"), 0, 1)
    if os.environ.get(WHOLE):  # hundreds of connections, and none of them says what a check compared
        heard.hear("verify", house.slipway("verify", "house"))


def on_a_terminal(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a terminal for its output, where it shows more."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "slipway", *arguments]
    process = subprocess.Popen(
        words, cwd=house.path, env=house.env(), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = bytearray()
    # A fifth of a second of silence, and an end: whoever else may have the terminal open keeps nobody waiting.
    while (is_there := bool(select.select([ours], [], [], 0.2)[0])) or process.poll() is None:
        piece = _read(ours) if is_there else b""
        said += piece
        if is_there and not piece:
            break
    os.close(ours)
    return subprocess.CompletedProcess(words, process.wait(LONGEST_SECONDS), said.decode(errors="replace"), "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: nobody writes to it any more
        return b""


def test_nobody_without_rights_sees_one_while_runs_go_on(heard: Heard) -> None:
    """Command lines, environments and files on the host, fifty times a second, from the first deploy on."""
    print(f"looked {heard.seen.ticks} times in {heard.seen.seconds:.0f} s: {heard.seen.rate:.1f} a second")
    assert heard.seen.seen == set()
    assert heard.seen.rate > LOOKS_A_SECOND


def test_no_command_says_one(heard: Heard) -> None:
    """Deploys that succeed and fail, plans with diffs, pyinfra at its most talkative, a traceback, whatever shows."""
    assert {what: names for what, text in heard.said.items() if (names := is_told(text, heard.secrets))} == {}


def test_the_controller_keeps_none(heard: Heard, house: House) -> None:
    """Reports, traces, whatever a run writes into its project: only the source of secrets has them."""
    assert files_with(house.path, heard.secrets) == {"secrets.yaml"}
    assert (house.path / ".slipway/reports").is_dir(), "no report was written, so none was searched"
    assert (house.path / "trace.jsonl").stat().st_size > 0


@pytest.fixture(scope="module")
def searched(heard: Heard, house: House) -> Found:
    """Everything on the host, after all of that."""
    return search(house.lab, house.host, heard.secrets | {"certificate's key": key_line(house)})


def key_line(house: House) -> str:
    """A line of the private key that the edge has."""
    return (house.lab.layout.tls / "server.key").read_text(encoding="utf-8").splitlines()[1]


def test_no_file_of_a_host_holds_one_but_those_made_for_it(searched: Found) -> None:
    """Of root's or of the program's own user, and readable by nobody else."""
    held = [each for each in searched.files if HOLDS_THEM.fullmatch(each.path)]
    assert {each.path.split("/")[2] for each in held} == {"lib", "nginx"}, "the search finds those that are there"
    assert [each for each in searched.files if each not in held] == []


def test_the_files_made_for_it_are_read_by_nobody_else(heard: Heard, house: House, searched: Found) -> None:
    """By mode, or because their directory lets nobody through."""
    paths = "\n".join(each.path for each in searched.files)
    as_nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    text = f'while read -r path; do {as_nobody} test ! -r "$path" || echo "$path"; done'
    assert house.told(f"{text} <<'END'\n{paths}\nEND") == ""


def test_no_program_of_a_host_tells_one(searched: Found) -> None:
    """The journal, rotated logs, docker inspect, logs and history, images' layers, arguments, properties of units."""
    assert searched.told == ()


# --- what is planted is found

PLANTED = "planted"
PLANTS = {
    "/etc/planted": "echo {word} > /etc/planted; chmod 644 /etc/planted",
    "/root/planted": "umask 077; printf %s {word} | base64 -w 0 > /root/planted",
    "/var/backups/planted": "printf %s {word} | od -An -tx1 | tr -d ' \\n' > /var/backups/planted",
}
PROGRAMS = {
    "journal": "logger -t planted {word}; journalctl --sync",
    "docker inspect": "docker create --name planted -e WORD={word} {image} true",
    "docker logs": "docker run --name planted-log --entrypoint sh {image} -c 'echo {word}; echo {word} > /tmp/word'",
    "docker history": "docker commit -c 'LABEL word={word}' planted planted:1",
    "layers of an image": "docker commit -c 'CMD true' planted-log planted:2",
    "rotated logs": "echo {word} | gzip > /var/log/planted.gz",
}
SEEN = {
    "arguments of a process": "perl -e 'sleep 2' {word}",
    "environment of a process": "WORD={word} exec setpriv --reuid 65534 --regid 65534 --clear-groups perl -e 'sleep 2'",
    "/tmp/planted": "echo {word} > /tmp/planted; sleep 1; rm /tmp/planted",
    "/run/planted": "echo {word} > /run/planted; sleep 1; rm /run/planted",
    "/var/lib/slipway/planted": "echo {word} > /var/lib/slipway/planted; sleep 1; rm /var/lib/slipway/planted",
}
_AWAY = """
docker rm -f planted planted-log; docker image rm -f planted:1 planted:2; rm -f /etc/planted /root/planted \
  /var/backups/planted /var/log/planted.gz; true
"""


def test_what_is_planted_is_seen_by_who_looks(house: House) -> None:
    """Each kind of place that somebody without rights can see, for a second or two."""
    word = {PLANTED: secret_word(PLANTED)}
    with prying(house.lab, house.host, word) as seen:
        jobs = [threading.Thread(target=_plant, args=(house, text, word[PLANTED])) for text in SEEN.values()]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        time.sleep(0.5)  # the last look at what was there for a second
    assert {where for _, where in seen.seen} >= set(SEEN)


def test_what_is_planted_is_found_by_the_search(house: House, tmp_path: Path) -> None:
    """Each kind of place on the host, and a file of the controller."""
    word = {PLANTED: secret_word(PLANTED)}
    image = house.told("docker ps --format '{{.Image}}' | head -n 1").strip()
    try:
        for text in (*PLANTS.values(), *PROGRAMS.values()):
            _plant(house, text.replace("{image}", image), word[PLANTED])
        found = search(house.lab, house.host, word)
    finally:
        house.told(_AWAY)
    assert {each.path for each in found.files} >= set(PLANTS)
    assert set(found.told) >= {*PROGRAMS, "docker image inspect"}
    (tmp_path / "report.html").write_text(f"<p>{word[PLANTED]}</p>", encoding="utf-8")
    assert files_with(tmp_path, word) == {"report.html"}


def _plant(house: House, text: str, word: str) -> None:
    # Only the part that is looked for: what breaks quoting is not what is tried here.
    core = max(re.findall(r"[A-Za-z0-9]+", word), key=len)
    house.told(text.replace("{word}", core))
