"""A change that would cut us off is undone by the host: with us there to see it, with us killed, and over a reboot."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.lab.lab import Lab
from slipway.ops.guarded_script import ARM, BOOT_UNIT, CONFIRM, GUARDED, STEP, UNDO
from tests.faults.lockout import CUTS, NEW, OLD, SECONDS, Host, host_in
from tests.labs import lab_of_tests

pytestmark = pytest.mark.hosts

SLACK = 5
"""Seconds: for a reload, and for a machine that has others to serve."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A Debian 13 and a Debian 12, with what the roles install."""
    lab = lab_of_tests("test-lockout")
    lab.up([NEW, OLD])
    for name in (NEW, OLD):
        assert lab.exec(name, ["sh", "-c", "apt-get update -qq && apt-get install -qq nftables"]).code == 0
    yield lab
    lab.down()


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Host:
    """One of the two, by the test's parameter."""
    return host_in(tmp_path, lab, request.param)


on_both = pytest.mark.parametrize("host", [NEW, OLD], indirect=True)
on_one = pytest.mark.parametrize("host", [NEW], indirect=True)


@on_both
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_what_cuts_us_off_is_undone_and_told(host: Host, cut: object) -> None:
    """Exit 1; which host, what, and that it is undone; we come in again, nothing stays armed, and the plan shows it."""
    host.wants(cut.data)
    began = time.monotonic()
    done = host.project.slipway("deploy")
    took = time.monotonic() - began
    assert done.returncode == 1, done.stderr
    said = done.stdout + done.stderr
    assert f"{host.name}: the change of {cut.what} would have cut us off: no new connection could be used" in said
    assert "the host has undone it: what was there before is in force again" in said
    assert host.lets_us_in()
    assert not host.holds(cut.seen)
    assert not host.is_armed()
    assert took < SECONDS_OF[cut.what] + 25, f"took {took:.0f} s"
    assert f"slipway: the change of {cut.what} was not confirmed".split(": ", 1)[1] in host.root(
        "journalctl -t slipway"
    )
    planned = host.project.slipway("plan")
    assert planned.returncode == 3, planned.stdout + planned.stderr


SECONDS_OF = {"firewall": SECONDS, "sshd": SECONDS, "login": 30}


@on_both
@pytest.mark.sample("killed before it is confirmed", 1)
@pytest.mark.parametrize("cut", ["a firewall without port 22", "an sshd that listens elsewhere"])
def test_the_host_undoes_it_when_we_are_killed(host: Host, cut: str) -> None:
    """Killed right after the change, the host is back within the stated seconds; the next run says what happened."""
    host.wants(CUTS[cut].data)
    run = host.project.popen("deploy")
    host.wait(f"ls {GUARDED}/armed.*", 60)
    armed = time.monotonic()
    host.wait(CUTS[cut].seen, SECONDS)
    run.kill()
    run.communicate()
    assert not host.lets_us_in(), "the change cuts nobody off: this proves nothing"
    host.wait(f"test -e {GUARDED}/undone", SECONDS + SLACK)
    assert time.monotonic() - armed < SECONDS + SLACK
    assert host.lets_us_in()
    assert not host.holds(CUTS[cut].seen)
    assert not host.is_armed()
    assert host.project.slipway("plan").returncode == 3
    host.wants("")
    done = host.project.slipway("deploy")
    assert done.returncode == 0, done.stderr
    assert f"the host has undone a change of {CUTS[cut].what} that nobody confirmed" in done.stdout + done.stderr
    assert not host.holds(f"test -e {GUARDED}"), "told once"


@on_one
def test_a_controller_that_slept_through_the_undo_changes_nothing_any_more(host: Host) -> None:
    """Stopped after the change and woken after the undo: exit 1, and the host stays as it was."""
    cut = CUTS["a firewall without port 22"]
    host.wants(cut.data)
    run = host.project.popen("deploy")
    host.wait(cut.seen, 60)
    run.send_signal(signal.SIGSTOP)
    host.wait(f"test -e {GUARDED}/undone", SECONDS + SLACK)
    run.send_signal(signal.SIGCONT)
    out, err = run.communicate(timeout=90)
    assert run.returncode == 1, out + err
    assert "the host has undone it" in out + err
    assert host.lets_us_in()
    assert not host.holds(cut.seen)


@on_both
@pytest.mark.sample("a change that is confirmed", 1)
def test_a_change_that_lets_us_in_is_confirmed(host: Host) -> None:
    """Exit 0, in force, and nothing is left that would undo it; taken out of data, nothing of it is left at all."""
    own = 'base = {"users": [{"name": "ops", "comment": "Operations", "sudo": ["ALL=(ALL) NOPASSWD: ALL"]}]}'
    host.wants(f'{own}\nssh = {{"enabled": True, "allow_users": ["ops"]}}\nfirewall = {{"enabled": True}}')
    done = host.project.slipway("deploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.lets_us_in()
    assert "allowusers ops" in host.root("sshd -T")
    assert "policy drop" in host.root("nft list table inet slipway")
    assert "Operations" in host.root("getent passwd ops")
    assert not host.is_armed()
    assert not host.holds(f"test -e {GUARDED}")
    assert host.project.slipway("plan").returncode == 0
    host.wants("")
    assert host.project.slipway("deploy").returncode == 0
    assert not host.holds("ls /etc/ssh/sshd_config.d/*slipway* /etc/slipway/firewall.nft /etc/sudoers.d/slipway-*")
    assert not host.holds("nft list table inet slipway")
    host.root("usermod --comment '' ops")


FILE = "/etc/guarded-by-test"


def arm(host: Host) -> None:
    """As a run does before its first change; what is there before says `old`."""
    host.root(f"echo old > {FILE}")
    arguments = ["test", "600", "token", ":", "touch restored", UNDO, BOOT_UNIT, FILE, f"{FILE}-too"]
    host.root(ARM, GUARDED, *arguments)
    host.root(f"echo new > {FILE}; echo new > {FILE}-too")


def is_as_before(host: Host) -> bool:
    return host.holds(f"grep -qx old {FILE} && test ! -e {FILE}-too")


def clean(host: Host) -> None:
    host.root(f"rm -rf {GUARDED} {FILE}*")


@on_both
@pytest.mark.sample("a power cut while armed", 1)
def test_what_is_armed_over_a_power_cut_is_undone_at_boot(host: Host) -> None:
    """The timer is gone with the reboot; the files are back all the same, before anybody can log in."""
    arm(host)
    # What was changed has reached the disk when the power goes: the undo has to find it, and its own copies.
    host.root("sync")
    host.lab.cut_power(host.name)
    host.lab.start(host.name)
    assert is_as_before(host)
    assert host.root(f"cut -d ' ' -f 2 {GUARDED}/undone") == "boot"
    assert not host.holds(f"test -e {GUARDED}/restored"), "at boot there is nothing in force yet"
    assert not host.is_armed()
    clean(host)


RACE = """\
echo old > "$1"
sh -c "$2" sh "$3" test 600 token : : "$4" "$5" "$1" || exit 1
echo new > "$1"
{ sleep "$7"; sh "$3/undo" timer 2> /dev/null; } &
sleep "$8"
said=$(sh -c "$6" sh "$3" token)
wait
printf '%s %s\\n' "$said" "$(cat "$1")"
rm -rf "$3"
"""


@on_one
def test_either_the_undo_or_the_confirmation_wins(host: Host) -> None:
    """Now the one first, now the other, and all between: confirmed and new, or late and old, and nothing else."""
    said = []
    for n in range(12):
        undo_at, confirm_at = f"{n * 0.006:.3f}", f"{(11 - n) * 0.006:.3f}"
        said.append(host.root(RACE, FILE, ARM, GUARDED, UNDO, BOOT_UNIT, CONFIRM, undo_at, confirm_at))
    assert set(said) <= {"confirmed new", "late old"}, said
    print(f"confirmed {said.count('confirmed new')}, undone {said.count('late old')} of {len(said)}")
    assert not host.is_armed()
    clean(host)


@on_one
def test_one_guarded_change_at_a_time_and_no_step_once_it_is_undone(host: Host) -> None:
    """A second one is refused while the first waits; a step that comes after the undo is not begun."""
    arm(host)
    second = host.lab.exec(
        host.name, ["sh", "-c", ARM, "sh", GUARDED, "other", "600", "t", ":", ":", UNDO, BOOT_UNIT, FILE]
    )
    assert second.code == 75
    assert "a change of test waits for its confirmation here" in second.stderr
    host.root(f"sh {GUARDED}/undo timer")
    assert is_as_before(host)
    host.root(f"test -e {GUARDED}/restored")
    late = host.lab.exec(host.name, ["sh", "-c", STEP, "sh", GUARDED, "token", "sh", "-c", f"echo late > {FILE}"])
    assert late.code == 75
    assert is_as_before(host)
    clean(host)


@on_one
def test_a_step_that_fails_is_undone_at_once(host: Host) -> None:
    """Its own words and exit code are kept, what was there before is back, and nothing waits any more."""
    arm(host)
    words = ["sh", "-c", STEP, "sh", GUARDED, "token", "sh", "-c", "echo no such thing >&2; exit 65"]
    failed = host.lab.exec(host.name, words)
    assert failed.code == 65
    assert failed.stderr.splitlines()[0] == "no such thing"
    assert is_as_before(host)
    assert not host.is_armed()
    assert not host.holds(f"test -e {GUARDED}")
    clean(host)
