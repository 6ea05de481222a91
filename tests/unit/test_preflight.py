"""From how a host stands to what is found: the pure half of `slipway doctor`."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.facts.preflight import (
    HostFacts,
    Listener,
    PreflightFact,
    Process,
    Published,
    Space,
    Tried,
    parsed,
)
from slipway.fleet import NOMINAL
from slipway.needs import Certificate, Image, Memory, Needs, Packages, Port, Reach, Room
from slipway.preflight.clock import Offset, clocks, offset_of, spoken
from slipway.preflight.findings import CONTROLLER, ERROR, FINE, WARNING, Finding, alike, despite, worst_first
from slipway.preflight.judge import judge, words_for
from slipway.preflight.ports import ANY_V4, ANY_V6, overlap
from slipway.preflight.reaching import not_root, unreachable
from slipway.preflight.subject import Subject
from slipway.secrets import Secret
from tests.certificates import pair

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
ROOMY = Space("/", "/", True, 100_000, 50_000, 1_000_000, 900_000)
WELL = HostFacts(
    has_systemd=True, has_bash=True, has_apt=True, has_ss=True, keeps_time=True, name_servers=1, has_route=True,
    memory_mib={"total": 2048, "available": 1500, "swap": 0}, spaces=(ROOMY,),
    mirrors=("deb.debian.org:80",), tried=(Tried("deb.debian.org", 80, "open"),),
)  # fmt: skip
NGINX = Port("10.0.0.1", 80, "nginx", ("nginx.service",))
APP = Port("10.0.0.1", 18000, "api", stack="demo")


def host(name: str = "web1", needs: Needs | None = None, offset: Offset | None = None, **facts: object) -> Subject:
    return Subject(name, NOMINAL, needs or Needs(), replace(WELL, **facts), offset or Offset())  # type: ignore[arg-type]


def bad(*hosts: Subject, engine: str = "") -> list[Finding]:
    """What is found that is not well."""
    return [each for each in judge({each.host: each for each in hosts}, NOW, engine) if each.severity != FINE]


def told(*hosts: Subject, engine: str = "") -> list[tuple[str, str, str]]:
    return [(each.check, each.severity, each.what) for each in bad(*hosts, engine=engine)]


def test_a_host_that_is_well_has_no_finding_and_says_of_each_check_what_it_saw() -> None:
    """Nothing is found of a host that is well, and it is said what was looked at."""
    found = list(judge({"web1": host()}, NOW))
    assert {each.severity for each in found} == {FINE}
    assert [each.check for each in found] == ["system", "disk", "memory", "mirror", "packages", "units", "clock"]


def test_every_finding_says_what_to_do() -> None:
    """An error or a warning without advice is of no use at three in the morning."""
    worst = host(
        has_systemd=False, has_bash=False, has_apt=False, keeps_time=False, docker="silent",
        failed_units=("a.service",), reboot=("linux-image",), locks={"/var/lib/dpkg/lock": Process(7, "apt")},
        tried=(Tried("deb.debian.org", 80, "silent"),), memory_mib={},
        spaces=(replace(ROOMY, free_mib=0, free_inodes=0), Space("/var", "/var", False)), offset=Offset(1e6),
    )  # fmt: skip
    found = bad(worst)
    assert len(found) >= 12
    assert [each for each in found if not each.do] == []


# --- disk


def test_a_disk_that_is_too_small_says_how_much_is_missing_and_for_what() -> None:
    """What the run brings is counted by mount; packages and images only where they are missing."""
    needs = Needs(
        rooms=(Room("/", 100, "records"),),
        packages=(Packages(("docker.io",), "docker", 500),),
        images=(Image("slipway/demo:1", is_built=True),),
    )
    small = replace(ROOMY, free_mib=1500)
    usr, lists = (replace(small, path=path) for path in ("/usr", "/var/lib/apt/lists"))
    facts = {"spaces": (small, usr, lists, replace(small, path="/var/lib/docker"))}
    subject = replace(host(needs=needs, **facts), image_mib={"slipway/demo:1": 900})
    what = "/ has 1.5 GiB free, 150 MiB too little for this run"
    parts = "image slipway/demo:1 900 MiB, packages of docker 500 MiB, package lists 150 MiB, records 100 MiB"
    assert told(subject) == [("disk", ERROR, f"{what}: {parts}")]
    there = replace(subject.facts, packages=frozenset({"docker.io"}))
    assert told(replace(subject, facts=there, images=frozenset({"slipway/demo:1"}))) == []


@given(free=st.integers(0, 5000), mib=st.integers(0, 5000), size=st.integers(5000, 10**7))
def test_the_disk_is_an_error_exactly_where_the_run_has_no_room(free: int, mib: int, size: int) -> None:
    """Never an error where it fits, always one where it does not."""
    space = replace(ROOMY, free_mib=free, size_mib=size)
    severities = {each.severity for each in bad(host(needs=Needs(rooms=(Room("/", mib, "it"),)), spaces=(space,)))}
    assert (ERROR in severities) == (free < max(mib, 1))


def test_a_full_or_read_only_file_system_is_an_error_even_where_nothing_is_brought() -> None:
    """Inodes count like blocks; a file system that does not count them has enough; read-only is told once a mount."""
    assert [each[:2] for each in told(host(spaces=(replace(ROOMY, free_mib=0),)))] == [("disk", ERROR)]
    assert "0 inodes free" in told(host(spaces=(replace(ROOMY, free_inodes=0),)))[0][2]
    assert told(host(spaces=(replace(ROOMY, inodes=0, free_inodes=0),))) == []
    closed = (replace(ROOMY, is_writable=False), replace(ROOMY, path="/var", is_writable=False))
    assert told(host(spaces=closed)) == [("disk", ERROR, "/ is read-only (/, /var)")]


def test_little_room_is_a_warning_before_it_is_too_little() -> None:
    """A small disk by its share, a large one by what is left."""
    assert [each[1] for each in told(host(spaces=(replace(ROOMY, free_mib=900),)))] == [WARNING]
    assert told(host(spaces=(replace(ROOMY, free_mib=1100),))) == []
    assert told(host(spaces=(replace(ROOMY, size_mib=1000, free_mib=60),))) == []


# --- memory


def test_services_that_may_take_more_memory_than_there_is_are_named() -> None:
    """The largest first; a warning, because limits are no reservations."""
    needs = Needs(memory=(Memory(512, "Redis"), Memory(1600, "2 x api")))
    what = "services may take 2.1 GiB together, the host has 2.0 GiB: 2 x api 1.6 GiB, Redis 512 MiB"
    assert told(host(needs=needs)) == [("memory", WARNING, what)]
    assert told(host(memory_mib={"available": 60})) == [("memory", WARNING, "only 60 MiB of 2.0 GiB are available")]


# --- ports


@pytest.mark.parametrize(
    ("holder", "is_found"),
    [
        (Listener("tcp", "*", 80, Process(312, "apache2", "apache2.service")), True),
        (Listener("tcp", ANY_V4, 80, Process(312, "apache2", "apache2.service")), True),
        (Listener("tcp", "10.0.0.1", 80, Process(312, "nginx", "session-3.scope")), True),
        (Listener("tcp", "10.0.0.1", 80, Process()), True),
        (Listener("tcp", "10.0.0.1", 80, Process(312, "nginx", "nginx.service")), False),
        (Listener("tcp", "127.0.0.1", 80, Process(312, "apache2", "apache2.service")), False),
        (Listener("tcp", ANY_V6, 80, Process(312, "apache2", "apache2.service")), False),
        (Listener("udp", "*", 80, Process(312, "apache2", "apache2.service")), False),
        (Listener("tcp", "*", 81, Process(312, "apache2", "apache2.service")), False),
    ],
)
def test_a_port_is_taken_only_by_a_stranger_at_the_same_address(holder: Listener, is_found: bool) -> None:
    """What is brought may have its own port already, and another address is another port."""
    found = told(host(needs=Needs(ports=(NGINX,)), listeners=(holder,)))
    what = f"nginx needs 10.0.0.1:80, taken by {holder.by}"
    assert found == ([("port", ERROR, what)] if is_found else [])


def test_the_process_is_named_with_its_pid_and_unit() -> None:
    """Whoever is to stop it has to find it."""
    assert str(Process(312, "apache2", "apache2.service")) == "apache2 (pid 312, apache2.service)"
    assert str(Process(312, "nc")) == "nc (pid 312)"
    assert str(Process()) == "a process that cannot be seen"


def test_a_port_that_docker_publishes_belongs_to_its_container() -> None:
    """Containers of the stack may have their ports; somebody else's container is named, not Docker's proxy."""
    proxy = Listener("tcp", "10.0.0.1", 18000, Process(9, "docker-proxy", "docker.service"))
    needs = Needs(ports=(APP,))
    ours = Published("tcp", "10.0.0.1", 18000, "demo-api-1", "demo")
    assert told(host(needs=needs, listeners=(proxy,), published=(ours,))) == []
    theirs = replace(ours, container="old", stack="")
    what = "api needs 10.0.0.1:18000, taken by the container old"
    assert told(host(needs=needs, listeners=(proxy,), published=(theirs,))) == [("port", ERROR, what)]
    web = Published("tcp", ANY_V4, 80, "old", "")
    on_80 = replace(proxy, address=ANY_V4, port=80)
    found = told(host(needs=Needs(ports=(NGINX,)), listeners=(on_80,), published=(web,)))
    assert found == [("port", ERROR, "nginx needs 10.0.0.1:80, taken by the container old")]


def test_two_roles_that_want_one_port_are_told_before_either_has_it() -> None:
    """On a bare host nothing listens yet, and the second would fail to start."""
    needs = Needs(ports=(NGINX, Port("10.0.0.1", 80, "api", stack="demo"), Port("10.0.0.1", 80, "dns", protocol="udp")))
    assert told(host(needs=needs)) == [("port", ERROR, "nginx and api both need 10.0.0.1:80")]


ADDRESSES = st.sampled_from(["*", ANY_V4, ANY_V6, "10.0.0.1", "127.0.0.1", "::1", "fd00::1"])


@given(ADDRESSES, ADDRESSES)
def test_addresses_overlap_either_way_round(one: str, other: str) -> None:
    """An address overlaps itself and `*`; IPv4 and IPv6 do not meet."""
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one) and overlap(one, "*")
    assert not (overlap(ANY_V4, one) and ":" in one)


# --- packages, mirrors, names


def test_a_held_lock_is_a_warning_that_names_its_holder_once() -> None:
    """apt holds several locks at a time; an unattended upgrade ends by itself."""
    apt = Process(811, "apt-get", "apt-daily.service")
    locks = {"/var/lib/dpkg/lock-frontend": apt, "/var/lib/dpkg/lock": apt}
    found = bad(host(locks=locks, interrupted=("half: ok unpacked",)))
    assert [(each.check, each.severity, each.what) for each in found] == [
        ("packages", WARNING, "apt-get (pid 811, apt-daily.service) holds /var/lib/dpkg/lock-frontend")
    ]
    assert "waits up to 300 s" in found[0].do


def test_an_interrupted_dpkg_is_told_and_no_error() -> None:
    """The run finishes it first."""
    found = told(host(interrupted=("half: ok unpacked",)))
    assert found == [("packages", WARNING, "dpkg was interrupted: half: ok unpacked")]


def test_a_mirror_that_is_down_is_an_error_only_where_something_is_to_be_installed() -> None:
    """And then the packages are named; where another mirror answers, it is a warning."""
    needs, down = Needs(packages=(Packages(("nginx",), "nginx", 0),)), (Tried("deb.debian.org", 80, "refused"),)
    what = "package mirror: deb.debian.org:80 refuses the connection; to be installed: nginx"
    assert told(host(needs=needs, tried=down)) == [("mirror", ERROR, what)]
    here = host(needs=needs, tried=down, packages=frozenset({"nginx"}))
    assert [each[:2] for each in told(here)] == [("mirror", WARNING)]
    both = {"mirrors": ("deb.debian.org:80", "other:80"), "tried": (*down, Tried("other", 80, "open"))}
    assert [each[:2] for each in told(host(needs=needs, **both))] == [("mirror", WARNING)]
    assert [each[:2] for each in told(host(needs=needs, mirrors=(), tried=()))] == [("mirror", WARNING)]


def test_a_name_that_cannot_be_resolved_is_told_with_the_name_and_why() -> None:
    """An empty resolv.conf is told as such."""
    found = told(host(tried=(Tried("deb.debian.org", 80, "unresolved"),), name_servers=0))
    why = "cannot resolve deb.debian.org (/etc/resolv.conf names no server)"
    assert found == [("dns", WARNING, f"package mirror: {why}; nothing is to be installed now")]


def test_behind_a_proxy_only_the_proxy_has_to_answer() -> None:
    """It resolves the mirror's name, not the host."""
    proxied = host(proxies=("proxy:3142",), tried=(Tried("proxy", 3142, "open"), Tried("deb.debian.org", 80, "silent")))
    assert told(proxied) == []


# --- databases, registries, images


def test_a_database_is_to_answer_where_it_listens() -> None:
    """On a first deploy nothing listens there yet; where it does and is not reached, something is between."""
    needs = Needs(reaches=(Reach("10.0.0.9", 5432, "db (postgres on db1)", "db1"),))
    worker = host("worker1", needs, tried=(*WELL.tried, Tried("10.0.0.9", 5432, "silent")))
    assert told(worker, host("db1")) == []
    listens = Listener("tcp", "10.0.0.9", 5432, Process(5, "postgres"))
    what = "db (postgres on db1): 10.0.0.9:5432 does not answer"
    assert told(worker, host("db1", listeners=(listens,))) == [("reach", WARNING, what)]
    assert told(worker) == [("reach", WARNING, what)]  # nobody has asked db1


def test_an_image_that_only_this_machine_can_make_needs_its_docker() -> None:
    """Hosts that have it already do not."""
    needs = Needs(images=(Image("slipway/demo:1", is_built=True),))
    found = told(host(needs=needs), engine="does not answer")
    assert found == [("image", ERROR, "lacks slipway/demo:1, and Docker here cannot make it: does not answer")]
    assert told(replace(host(needs=needs), images=frozenset({"slipway/demo:1"})), engine="does not answer") == []


# --- clocks


@given(
    ahead=st.floats(-1e6, 1e6), there=st.floats(0, 5), work=st.floats(0, 5), back=st.floats(0, 5),
    asked=st.floats(1e9, 2e9),
)  # fmt: skip
def test_the_true_offset_lies_within_the_margin(
    ahead: float, there: float, work: float, back: float, asked: float
) -> None:
    """However the way is shared between there and back, and however long the host works."""
    began = asked + there + ahead
    offset = offset_of(asked, asked + there + work + back, began, began + work)
    assert abs(offset.seconds - ahead) <= offset.margin + 1e-3


def test_a_clock_that_is_far_off_is_a_warning_in_words() -> None:
    """A day, an hour, minutes or seconds: what a person would say."""
    found = told(host("a", offset=Offset(-86400 * 2.0)), host("b"))
    assert found == [("clock", WARNING, "its clock is 2 days behind the controller")]
    assert told(host(offset=Offset(4.0, 0.1))) == []
    assert told(host(offset=Offset(9.0, 5.0))) == []  # on a slow link it may be the link
    assert [spoken(seconds) for seconds in (7, 300, 7200)] == ["7.0 s", "5 min", "2 h"]


def test_where_all_hosts_agree_the_controller_is_wrong() -> None:
    """A fleet that is off alike has its time from somewhere; one that is not is told host by host."""
    found = list(clocks({"a": Offset(90.0), "b": Offset(91.0), "c": Offset(92.0)}))
    assert [(each.host, each.what) for each in found] == [
        (CONTROLLER, "all hosts agree, and this machine's clock is 90.0 s behind")
    ]
    assert [each.host for each in clocks({"a": Offset(90.0), "b": Offset(-90.0)})] == ["a", "b"]
    assert [each.host for each in clocks({"a": Offset(90.0)})] == ["a"]


def test_a_container_does_not_keep_its_own_time() -> None:
    """Its clock is the machine's beneath."""
    assert [each[0] for each in told(host(keeps_time=False))] == ["clock"]
    assert told(host(keeps_time=False, is_container=True)) == []
    assert told(host(keeps_time=None)) == []


# --- certificates


def certified(chain: str, *names: str, key: str = "") -> list[tuple[str, str]]:
    wanted = Certificate("tls/a.crt", names, chain, Secret(key) if key else None)
    return [each[1:] for each in told(host(needs=Needs(certificates=(wanted,))))]


def test_a_certificate_is_told_by_its_file_and_date() -> None:
    """Expired is an error; two weeks ahead it is a warning; later it is well."""
    assert certified(pair(0, NOW)[0]) == [(ERROR, "tls/a.crt has expired on 2030-06-01 12:00 UTC")]
    assert certified(pair(13, NOW)[0]) == [(WARNING, "tls/a.crt expires on 2030-06-14, in 13 days")]
    chain, key = pair(15, NOW)
    assert certified(chain, "a.test", "x.b.test", "*.b.test", key=key) == []


def test_a_certificate_for_other_names_or_of_another_key_is_an_error() -> None:
    """Also a key that is none; its text is not told."""
    chain, other = pair(99, NOW)[0], pair(99, NOW)[1]
    assert certified(chain, "a.test", "c.test", "x.y.b.test", "*.a.test") == [
        (ERROR, "tls/a.crt is not for c.test, x.y.b.test, *.a.test but for *.b.test, a.test")
    ]
    belongs = (ERROR, "the key beside tls/a.crt does not belong to it")
    assert certified(chain, key=other) == [belongs]
    assert certified(chain, key="not a key") == [belongs]
    assert certified("rubbish") == [(ERROR, "tls/a.crt is no certificate in PEM")]


def test_a_certificate_on_the_host_is_judged_by_what_the_host_has() -> None:
    """An ACME client's file that is not there yet is an error: nginx would refuse its configuration."""
    needs = Needs(certificates=(Certificate("/etc/a.pem", ("a.test",)),))
    assert words_for(needs)[-1] == "certificate:/etc/a.pem"
    assert told(host(needs=needs)) == [("certificate", ERROR, "/etc/a.pem is not there")]
    assert told(host(needs=needs, certificates={"/etc/a.pem": pair(99, NOW)[0]})) == []


# --- hosts that are not reached


@pytest.mark.parametrize(
    ("why", "what"),
    [
        ("Could not resolve hostname ([Errno -2] Name or service not known)", "cannot resolve db.example"),
        ("Could not connect ([Errno 111] Connection refused)", "db.example refuses the connection"),
        ("Could not connect (timed out)", "db.example does not answer"),
        ("Could not connect ([Errno 113] No route to host)", "there is no route to db.example"),
        ("SSH error (StrictPolicy: No host key for db.example found in known_hosts)", "the host key of db.example is"),
        ("SSH host key error (Host key for db.example does not match.)", "the host key of db.example has changed"),
        ("Authentication error (username=ops)", "the log-in is refused"),
        ("something new", "something new"),
    ],
)
def test_a_host_that_is_not_reached_says_why_and_what_to_do(why: str, what: str) -> None:
    """Each way in which a connection fails, in words."""
    found = unreachable("db1", "db.example", why)
    assert (found.check, found.severity) == ("ssh", ERROR)
    assert found.what.startswith(what) and why in found.what
    assert "db.example" in found.do or "authorized_keys" in found.do


def test_sudo_that_asks_for_a_password_is_told_as_such() -> None:
    """Anything else that cannot be asked is no matter of sudo."""
    assert not_root("db1", "could not read MachineFact: sudo: a password is required").check == "sudo"
    assert not_root("db1", "could not read MachineFact: timed out").check == "system"


# --- findings


def test_errors_come_first_then_warnings_in_the_order_of_the_inventory() -> None:
    """The worst is read first."""
    found = [Finding("b", "clock", FINE, ""), Finding("b", "disk", ERROR, ""), Finding("a", "units", WARNING, ""),
             Finding("a", "port", ERROR, ""), Finding("a", "disk", ERROR, "")]  # fmt: skip
    order = [(each.host, each.check) for each in worst_first(found, ["a", "b"])]
    assert order == [("a", "disk"), ("a", "port"), ("b", "disk"), ("a", "units"), ("b", "clock")]


def test_what_is_the_same_on_several_hosts_is_told_once() -> None:
    """Five hundred hosts behind one dead mirror are one line."""
    found = [Finding(name, "mirror", WARNING, "down", "see") for name in ("a", "b")]
    assert alike([*found, Finding("a", "disk", ERROR, "full")]) == [
        (["a", "b"], found[0]), (["a"], Finding("a", "disk", ERROR, "full")),
    ]  # fmt: skip


def test_despite_makes_the_errors_of_a_check_warnings() -> None:
    """And of no other."""
    found = despite([Finding("a", "port", ERROR, ""), Finding("a", "disk", ERROR, "")], ["port"])
    assert [each.severity for each in found] == [WARNING, ERROR]


# --- what a host says


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=20))
def test_whatever_a_host_says_is_read_without_a_crash(lines: list[str]) -> None:
    """A host that somebody has taken over may answer anything; it is text."""
    known = ["memory\t", "disk\t/\trw\t", "listens\ttcp\t", "published\t", "tried\t", "lock\t", "certificate\t/x\t"]
    facts = parsed([*lines, *(f"{start}{line}" for start in known for line in lines)])
    assert list(judge({"h": Subject("h", NOMINAL, Needs(), facts)}, NOW))


def test_the_script_tells_of_this_machine_what_it_is_asked() -> None:
    """The words go in, the facts come out; by dash, without a file written."""
    needs = Needs(
        rooms=(Room("/no/such/place", 1, "it"),), packages=(Packages(("coreutils", "no-such-package"), "it", 1),),
        reaches=(Reach("no-such-host.invalid", 80, "nobody"), Reach("127.0.0.1", 1, "nobody")),
    )  # fmt: skip
    command = PreflightFact().command(words_for(needs)).get_raw_value()
    done = subprocess.run(["dash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    facts = parsed(done.stdout.splitlines())
    assert facts.ended > facts.began > 0 and facts.has_bash and facts.memory_mib["total"] > 0
    assert "coreutils" in facts.packages and "no-such-package" not in facts.packages
    assert {Tried("no-such-host.invalid", 80, "unresolved"), Tried("127.0.0.1", 1, "refused")} <= set(facts.tried)
    space, root = next(space for space in facts.spaces if space.path == "/no/such/place"), os.statvfs("/")
    assert (space.mount, space.size_mib) == ("/", root.f_blocks * root.f_frsize >> 20)
    assert space.inodes == root.f_files and 0 < space.free_inodes <= space.inodes


@pytest.mark.parametrize(
    ("users", "holders"),
    [
        ('users:(("postgres",pid=GONE,fd=7),("postgres",pid=HERE,fd=7))', ["HERE"]),
        ('users:(("postgres",pid=HERE,fd=7),("postgres",pid=GONE,fd=7))', ["HERE"]),
        ('users:(("postgres",pid=GONE,fd=7))', []),
        ("", ["0"]),
    ],
)
def test_a_child_that_is_gone_by_now_holds_no_port(tmp_path: Path, users: str, holders: list[str]) -> None:
    """A server that has just forked is listed with its child; that one has no unit any more, and is no stranger."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    known = {"GONE": str(gone.pid), "HERE": str(os.getpid()), "0": "0"}
    for word, pid in known.items():
        users = users.replace(f"pid={word},", f"pid={pid},")
    (tmp_path / "ss").write_text(f"#!/bin/sh\necho 'tcp LISTEN 0 200 127.0.0.1:5432 0.0.0.0:* {users}'\n")
    (tmp_path / "ss").chmod(0o755)
    command = PreflightFact().command(["port:5432"]).get_raw_value()
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["dash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    assert [str(each.by.pid) for each in parsed(done.stdout.splitlines()).listeners] == [known[who] for who in holders]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("packages", "thorough", "proxies"),
    [
        (("coreutils",), False, ()),
        ((), False, ()),
        (("coreutils", "no-such-package"), False, ("127.0.0.1:1",)),
        (("coreutils",), True, ("127.0.0.1:1",)),
    ],
)
def test_who_installs_nothing_waits_for_no_mirror(
    tmp_path: Path, packages: tuple[str, ...], thorough: bool, proxies: tuple[str, ...]
) -> None:
    """What apt fetches from is tried where a package is missing, and by `doctor`; else a silent one would cost time."""
    (tmp_path / "apt-config").write_text("#!/bin/sh\necho 'Acquire::http::Proxy \"http://127.0.0.1:1\";'\n")
    (tmp_path / "apt-config").chmod(0o755)
    words = words_for(Needs(packages=(Packages(packages, "it", 1),)), thorough)
    command = PreflightFact().command(words).get_raw_value()
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["dash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    facts = parsed(done.stdout.splitlines())
    assert facts.proxies == proxies and done.stderr == ""
    assert [each.outcome for each in facts.tried] == ["refused"] * len(proxies)
    found = judge({"h": Subject("h", NOMINAL, Needs(packages=(Packages(packages, "it", 1),)), facts)}, NOW)
    assert ("mirror" in {each.check for each in found}) == bool(proxies)


@pytest.mark.parametrize(("ends", "answer"), [(0, "answers"), (1, "silent")])
def test_what_docker_says_is_said_of_docker_alone(tmp_path: Path, ends: int, answer: str) -> None:
    """A label of somebody's container may have lines that read like the script's own."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\nprintf 'odd\\tx\\n%s\\n' 'disk\\t/\\tro\\t0'\nexit {ends}\n")
    (tmp_path / "docker").chmod(0o755)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(tmp_path / "sock"))
        command = (
            PreflightFact().command(["disk:/"]).get_raw_value().replace("/var/run/docker.sock", f"{tmp_path}/sock")
        )
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["dash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env
        )
    facts = parsed(done.stdout.splitlines())
    assert (facts.docker, [space.path for space in facts.spaces]) == (answer, ["/"])
    assert sum(line.startswith("disk\t") for line in done.stdout.splitlines()) == 1


def test_a_host_that_floods_is_cut_short() -> None:
    """Five megabytes in one line are no finding of five megabytes."""
    flood = "A" * 5_000_000
    facts = parsed([f"{kind}\t{flood}" for kind in ("failed", "reboot", "interrupted", "docker", "mirror", "lock")])
    found = judge({"h": Subject("h", NOMINAL, Needs(), facts)}, NOW)
    assert max(len(each.what) for each in found) < 2000


def test_published_ports_are_read_as_docker_prints_them() -> None:
    """Ranges, both kinds of addresses, ports that are not published."""
    ports = "10.0.0.1:18000->8000/tcp, 0.0.0.0:90-91->90-91/udp, :::80->80/tcp, 5432/tcp"
    facts = parsed([f"published\tdemo-api-1\tdemo\t{ports}"])
    assert [(each.protocol, each.address, each.port) for each in facts.published] == [
        ("tcp", "10.0.0.1", 18000), ("udp", ANY_V4, 90), ("udp", ANY_V4, 91), ("tcp", ANY_V6, 80),
    ]  # fmt: skip
