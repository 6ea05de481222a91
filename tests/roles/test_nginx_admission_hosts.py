"""Who gets requests is said at run time: peers are admitted, drained and dismissed on real edges, and none is lost."""

from __future__ import annotations

import itertools
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import gevent
import pytest

from roles.nginx import traffic
from slipway.lab.lab import Lab
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Canary, Peer
from tests.roles.convergence import connected
from tests.roles.nginx_edges import (
    EDGES,
    FIRST,
    HOLD_SECONDS,
    PEER_PORT,
    PEERS,
    SECOND,
    SECOND_PORT,
    Shell,
    code,
    forget,
    inflight,
    peer,
    shell,
    start_peer,
    state,
    unit_of,
)
from tests.roles.nginx_load import under_load

pytestmark = pytest.mark.hosts

BOTH = pytest.mark.parametrize("edge", EDGES)
SERVICE, SITE = "app-round-robin", "app-turn.test"
FILES = "/var/lib/slipway-edge"


@pytest.fixture(autouse=True)
def as_it_was(edges_lab: Lab) -> Iterator[None]:
    """Nothing of one test's traffic is left for the next."""
    yield
    for edge in EDGES:
        forget(edges_lab, edge)


@pytest.fixture
def lab(edges_lab: Lab) -> Lab:
    return edges_lab


@pytest.fixture
def remotes(lab: Lab) -> Iterator[list[Remote]]:
    """The edges over SSH, as a rollout has them."""
    inventory = connected(lab, list(EDGES)).inventory
    yield [Remote(inventory.get_host(name)) for name in EDGES]
    for host in inventory:
        host.disconnect()


def served(lab: Lab, edge: str, host: str = SITE, requests: int = 30) -> Counter[str]:
    """Who answered so many POSTs; one that was not answered with 200 is counted by its status."""
    ask = "for n in $(seq $3); do curl -s -d x -w '%{http_code}\\n' -H \"Host: $2\" http://$1/ | sed -n '1p;$p'; done"
    lines = shell(lab, edge, ask, lab.address(edge), host, str(requests)).splitlines()
    answers = zip(lines[::2], lines[1::2], strict=True)
    return Counter(name if status == "200" else status for name, status in answers)


def admit(lab: Lab, edge: str, service: str, release: str, addresses: Sequence[str]) -> None:
    shell(
        lab,
        edge,
        'service=$1 release=$2; shift 2; slipway-edge admit "$service" "$release" "$@"',
        service,
        release,
        *addresses,
    )


def admitted(lab: Lab, edge: str, service: str = SERVICE) -> dict[str, str]:
    """Address to release; empty where nobody is."""
    return {each["address"]: each["release"] for each in state(lab, edge)["upstreams"][service].get("admitted", [])}


def peers_of(addresses: Sequence[str], release: str = "r1", service: str = SERVICE) -> list[Peer]:
    return [Peer(service, address, release) for address in addresses]


# --- who gets requests


@BOTH
def test_requests_go_to_the_admitted_and_to_nobody_else(lab: Lab, edge: str) -> None:
    """One replica at its first port, one at its second: they share the requests, the third has none."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0], SECOND[1]])
    assert served(lab, edge) == {PEERS[0]: 15, SECOND[1]: 15}
    shell(lab, edge, "slipway-edge dismiss $1", FIRST[0])
    assert served(lab, edge, requests=6) == {SECOND[1]: 6}


@BOTH
def test_admission_outlives_reload_restart_and_kill(lab: Lab, edge: str) -> None:
    """With the canary: nothing that was said is forgotten, whatever becomes of nginx."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    admit(lab, edge, SERVICE, "r2", [SECOND[1]])
    shell(lab, edge, "slipway-edge canary $1 r2 40 header X-User", SERVICE)
    for action in ("systemctl reload nginx", "systemctl restart nginx", "kill -9 $(cat /run/nginx.pid); sleep 2"):
        shell(lab, edge, action)
        assert admitted(lab, edge) == {FIRST[0]: "r1", SECOND[1]: "r2"}
        canary = state(lab, edge)["upstreams"][SERVICE]["canary"]
        assert canary == {"release": "r2", "weight": 40, "by": "header", "name": "X-User"}
        assert set(served(lab, edge, requests=10)) <= {PEERS[0], SECOND[1]}


# systemd gives up on a unit that is started five times in ten seconds, unless told to forget.
START = "systemctl reset-failed nginx; systemctl start nginx"


def damage(lab: Lab, edge: str, file: str, content: str) -> None:
    """nginx starts and finds this file."""
    shell(lab, edge, f'systemctl stop nginx; printf %s "$1" > {FILES}/{file}; {START}', content)


DAMAGED = (
    "",
    "{",
    "[]",
    "null",
    '"text"',
    "\x01\x02",
    '{"upstreams": 5, "canaries": []}',
    '{"upstreams": {"app-round-robin": {"a;b": "r1"}}, "canaries": {"app-round-robin": {"weight": "x"}}}',
    '{"upstreams": {"app-round-robin": {"127.0.0.2:9000": null}}, "canaries": {"app-round-robin": null}}',
)


@BOTH
def test_an_edge_that_knows_nothing_tries_the_candidates(lab: Lab, edge: str) -> None:
    """No record, or one that cannot be read: first ports, second ports where those refuse, and no POST is lost."""
    for content in DAMAGED:
        damage(lab, edge, "admission.json", content)
        assert served(lab, edge, requests=9) == dict.fromkeys(PEERS, 3), content
        assert served(lab, edge, "moved.test", requests=9) == dict.fromkeys(SECOND, 3), content
    shell(lab, edge, f"systemctl stop nginx; rm {FILES}/admission.json; {START}")
    assert "admitted" not in state(lab, edge)["upstreams"][SERVICE]
    assert served(lab, edge, requests=9) == dict.fromkeys(PEERS, 3)
    assert "cannot be read" in shell(lab, edge, "tail -n 100 /var/log/nginx/error.log")


@BOTH
def test_damaged_drains_do_not_keep_nginx_from_starting(lab: Lab, edge: str) -> None:
    """What is sound among them holds."""
    sound = '"127.0.0.2": {"until_": 9e9, "lease": 60, "reason": 5}'
    for content in ("{", "[1]", f'{{"a": 5, "b": {{"until_": "x", "lease": 1}}, {sound}}}'):
        damage(lab, edge, "drained.json", content)
    assert list(state(lab, edge)["drained"]) == ["127.0.0.2"]


@BOTH
def test_where_nobody_admitted_can_be_reached_the_candidates_are_tried(lab: Lab, edge: str) -> None:
    """An edge that was away while its peers moved: what it holds for true refuses, and still no POST is lost."""
    admit(lab, edge, SERVICE, "r1", [f"127.0.0.{n}:9" for n in range(5, 12)])
    assert served(lab, edge, requests=12) == dict.fromkeys(PEERS, 4)
    admit(lab, edge, SERVICE, "r2", [SECOND[0]])
    assert served(lab, edge, requests=12) == {SECOND[0]: 12}


@BOTH
def test_a_bad_answer_of_the_only_admitted_peer_sends_nobody_elsewhere(lab: Lab, edge: str) -> None:
    """It can be connected to: what is not admitted may not be ready, and has no request."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    assert {code(lab, edge, SITE, "/mute") for _ in range(5)} == {"502"}
    assert served(lab, edge, requests=3) == {PEERS[0]: 3}


@BOTH
def test_upstreams_by_hand_have_no_admission(lab: Lab, edge: str) -> None:
    """They are not the rollout's to say."""
    refused = lab.exec(edge, ["slipway-edge", "admit", "round-robin", "r1", FIRST[0]])
    assert (refused.code, refused.stderr) == (1, "no service of the application is called round-robin\n")
    assert "admission" in state(lab, edge)["upstreams"]["round-robin"]
    assert served(lab, edge, "turn.test", requests=9) == dict.fromkeys(PEERS, 3)


# --- the gate


def test_an_edge_admits_only_what_answers_it(lab: Lab, remotes: list[Remote]) -> None:
    """One of two does not answer, or answers 503: neither is admitted, and the error says which edge met what."""
    with pytest.raises(RemoteFailed) as failed:
        traffic.admit(remotes, peers_of([FIRST[0], "127.0.0.9:9"]), 0.5)
    assert str(failed.value).startswith("edge1, edge2: ")
    assert "127.0.0.9:9 does not answer this edge: connection refused" in str(failed.value)
    with pytest.raises(RemoteFailed, match=r"127\.0\.0\.2:9000 does not answer this edge: HTTP/1\.1 503"):
        traffic.admit(remotes, peers_of([FIRST[0]], service="sick"), 0.5)
    for edge in EDGES:
        assert admitted(lab, edge) == admitted(lab, edge, "sick") == {}


def test_a_peer_that_comes_late_is_admitted_as_soon_as_it_answers(lab: Lab, remotes: list[Remote]) -> None:
    """The gate asks again until its time is over, and a failure before does not keep requests away afterwards."""
    address = "127.0.0.9:9099"
    jobs = [gevent.spawn(traffic.admit, remotes, peers_of([address]), 20)]
    began = time.monotonic()
    gevent.sleep(0.5)
    for edge in EDGES:
        assert admitted(lab, edge) == {}
        start_peer(lab, edge, "127.0.0.9", 9099, "late")
    gevent.joinall(jobs, raise_error=True)
    assert time.monotonic() - began < 10
    for edge in EDGES:
        assert served(lab, edge, requests=3) == {"late": 3}
        shell(lab, edge, "systemctl stop $1", unit_of("127.0.0.9", 9099))


@BOTH
def test_a_probe_says_whether_a_peer_answers(lab: Lab, edge: str) -> None:
    """Below 500 with a path, a connection without; the host that is asked for reaches the peer; nothing is admitted."""

    def probe(*words: str) -> int:
        return lab.exec(edge, ["slipway-edge", "probe", *words]).code

    assert [probe(FIRST[0], "1"), probe(FIRST[0], "/status/404", "1"), probe(SECOND[0], "/", "shop.test", "1")] == [
        0
    ] * 3
    assert [probe("127.0.0.9:9", "0.2"), probe(FIRST[0], "/status/500", "0.2")] == [1, 1]
    hung = time.monotonic()
    assert probe(FIRST[0], "/slow/30", "1") == 1
    assert time.monotonic() - hung < 4


# --- drains


@BOTH
def test_a_drain_is_of_hosts_and_of_single_peers_several_at_once(lab: Lab, edge: str) -> None:
    """A port alone, a whole host; to admit a port ends its own drain and no other."""
    admit(lab, edge, SERVICE, "r1", [*FIRST, SECOND[0]])
    shell(lab, edge, "slipway-edge drain $1,$2 60 why", FIRST[0], PEERS[1])
    assert set(state(lab, edge)["drained"]) == {FIRST[0], PEERS[1]}
    assert served(lab, edge, requests=10) == {SECOND[0]: 5, PEERS[2]: 5}
    admit(lab, edge, SERVICE, "r2", [FIRST[0], FIRST[1]])
    assert set(state(lab, edge)["drained"]) == {PEERS[1]}
    shell(lab, edge, "slipway-edge drain $1 60; slipway-edge restore $1,$2", FIRST[2], PEERS[1])
    assert state(lab, edge)["drained"] == {}
    assert served(lab, edge, requests=20) == dict.fromkeys([*PEERS, SECOND[0]], 5)


@BOTH
def test_while_the_only_admitted_peer_is_drained_requests_wait_for_its_successor(lab: Lab, edge: str) -> None:
    """Not for a candidate that answers already: it may not be ready. Admitted, it has them at once."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    shell(lab, edge, "slipway-edge drain $1 60", FIRST[0])
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(peer, lab, edge, SITE, "-d", "x")
        time.sleep(1)
        assert not held.done()
        admit(lab, edge, SERVICE, "r2", [SECOND[0]])
        assert held.result() == SECOND[0]
    shell(lab, edge, "slipway-edge dismiss $2; slipway-edge drain $1 60", FIRST[0], SECOND[0])
    began = time.monotonic()
    assert code(lab, edge, SITE) == "503"
    assert time.monotonic() - began > HOLD_SECONDS - 0.5


def test_a_wait_ends_with_the_last_of_several(lab: Lab, remotes: list[Remote]) -> None:
    """Over both edges and both targets; what was there before the drain is answered."""
    for edge in EDGES:
        admit(lab, edge, SERVICE, "r1", FIRST)
    with ThreadPoolExecutor(6) as pool:
        slow = [pool.submit(code, lab, edge, SITE, "/slow/2") for edge in EDGES for _ in range(3)]
        time.sleep(0.7)
        assert traffic.inflight(remotes, PEERS) == 6
        began = time.monotonic()
        traffic.drain(remotes, FIRST, 10, 60, "test")
        assert 0.5 < time.monotonic() - began < 4
        assert traffic.inflight(remotes, FIRST) == 0
        assert [each.result() for each in slow] == ["200"] * 6


@BOTH
def test_a_websocket_at_a_dismissed_peer_goes_on(lab: Lab, edge: str) -> None:
    """It carries bytes until it ends by itself, counted; new requests go elsewhere."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    with socket.create_connection((lab.address(edge), 80), timeout=10) as connection:
        head = f"GET /ws HTTP/1.1\r\nHost: {SITE}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        admit(lab, edge, SERVICE, "r2", [SECOND[0]])
        shell(lab, edge, "slipway-edge dismiss $1", FIRST[0])
        connection.sendall(b"\x81\x05hello")
        assert connection.recv(4096) == b"\x81\x05hello"
        assert inflight(lab, edge, FIRST[0]) == 1
        assert served(lab, edge, requests=5) == {SECOND[0]: 5}
    assert shell(lab, edge, "slipway-edge wait $1 5", FIRST[0]) == "0"


# --- all of it through the rollout's eyes


def test_an_edge_says_what_it_was_told(lab: Lab, remotes: list[Remote]) -> None:
    """Several services and releases in one call; canary and drains; and the end of each."""
    everybody = [*peers_of(FIRST[:2]), *peers_of([SECOND[2]], "r2"), *peers_of([SECOND[0]], "r2", "app-least-conn")]
    traffic.admit(remotes, everybody, 5)
    canary = Canary("r2", 30, "header", "X-User")
    traffic.share(remotes, [SERVICE, "app-least-conn"], canary)
    traffic.drain(remotes, [PEERS[1], FIRST[0]], 0, 50, 'it\'s "mine" & $(yours)')
    for remote in remotes:
        said = traffic.admitted(remote)
        assert said.upstreams[SERVICE] == {FIRST[0]: "r1", FIRST[1]: "r1", SECOND[2]: "r2"}
        assert said.upstreams["app-least-conn"] == {SECOND[0]: "r2"}
        assert said.canaries == {SERVICE: canary, "app-least-conn": canary}
        assert set(said.drained) == {PEERS[1], FIRST[0]}
        assert all(40 < left <= 50 for left in said.drained.values())
    assert state(lab, "edge1")["drained"][PEERS[1]]["reason"] == 'it\'s "mine" & $(yours)'
    traffic.share(remotes, [SERVICE, "app-least-conn"], None)
    traffic.restore(remotes, [PEERS[1], FIRST[0]])
    traffic.dismiss(remotes, [*FIRST, *SECOND])
    for remote in remotes:
        said = traffic.admitted(remote)
        assert said.upstreams[SERVICE] == said.upstreams["app-least-conn"] == {}
        assert (said.canaries, said.drained) == ({}, {})


def test_a_call_to_both_edges_takes_no_time_to_speak_of(remotes: list[Remote]) -> None:
    """One remote command for each edge, all edges at once."""
    calls = {
        "drain": lambda: traffic.drain(remotes, [FIRST[0]], 10, 60, "test"),
        "restore": lambda: traffic.restore(remotes, [FIRST[0]]),
        "admit": lambda: traffic.admit(remotes, peers_of(FIRST), 10),
        "dismiss": lambda: traffic.dismiss(remotes, FIRST),
        "share": lambda: traffic.share(remotes, [SERVICE], None),
        "admitted": lambda: traffic.admitted(remotes[0]),
    }
    took: dict[str, float] = {}
    for name, call in calls.items():
        times = []
        for _ in range(10):
            began = time.monotonic()
            call()
            times.append(time.monotonic() - began)
        took[name] = statistics.median(times)
    print({name: f"{seconds * 1000:.0f} ms" for name, seconds in took.items()})
    # A tenth of a second on a quiet machine; this one may be busy with other tests.
    assert max(took.values()) < 1, took


@BOTH
def test_what_is_said_at_the_same_time_is_all_kept(lab: Lab, edge: str) -> None:
    """Forty changes at once, through all workers: none overwrites another, in memory or in the file."""
    script = "for n in $(seq 40); do slipway-edge admit $1 r1 127.0.0.9:$((9100 + n)) & done; wait"
    shell(lab, edge, script, SERVICE)
    wanted = {f"127.0.0.9:{9100 + n}": "r1" for n in range(1, 41)}
    assert admitted(lab, edge) == wanted
    shell(lab, edge, "systemctl restart nginx")
    assert admitted(lab, edge) == wanted
    shell(lab, edge, "slipway-edge dismiss $(seq -f 127.0.0.9:%g 9101 9140)")
    assert admitted(lab, edge) == {}


@BOTH
def test_a_change_that_cannot_be_kept_is_not_made(lab: Lab, edge: str) -> None:
    """The disk is full: the error says so, and who has requests is as before."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    shell(lab, edge, f"mount -t tmpfs -o size=4k,mode=777 tmpfs {FILES}; head -c 4096 /dev/zero > {FILES}/full")
    try:
        refused = lab.exec(edge, ["slipway-edge", "admit", SERVICE, "r2", SECOND[0]])
        assert (refused.code, "No space left" in refused.stderr) == (1, True)
        assert admitted(lab, edge) == {FIRST[0]: "r1"}
        assert served(lab, edge, requests=3) == {PEERS[0]: 3}
    finally:
        shell(lab, edge, f"umount {FILES}")


HOSTILE = (
    ("admit", SERVICE, "r1"),
    ("admit", SERVICE, "r1", "127.0.0.2"),
    ("admit", SERVICE, "r1", "127.0.0.2:0"),
    ("admit", SERVICE, "r1", "127.0.0.2:65536"),
    ("admit", SERVICE, "r1", "127.0.0.999:80"),
    ("admit", SERVICE, "r1", "worker1:80"),
    ("admit", SERVICE, "r1", "127.0.0.2:80\n127.0.0.3:80"),
    ("admit", SERVICE, "r1", FIRST[0], ",", "nobody", "r1", FIRST[1]),
    ("admit", SERVICE, "r 1;", FIRST[0]),
    ("admit", SERVICE, "r" * 129, FIRST[0]),
    ("admit", "nobody", "r1", FIRST[0]),
    ("admit", "../etc", "r1", FIRST[0]),
    ("admit", "--within", "x", SERVICE, "r1", FIRST[0]),
    ("admit", "--within", "1e9", SERVICE, "r1", FIRST[0]),
    ("dismiss", "127.0.0.2"),
    ("dismiss", "*"),
    ("canary", SERVICE, "r2", "101", "cookie"),
    ("canary", SERVICE, "r2", "-1", "cookie"),
    ("canary", SERVICE, "r2", "1.5", "cookie"),
    ("canary", SERVICE, "r2", "ten", "cookie"),
    ("canary", SERVICE, "r2", "10", "moon"),
    ("canary", SERVICE, "r2", "10", "header"),
    ("canary", SERVICE, "r2", "10", "header", "X User"),
    ("canary", SERVICE, "r2\r\nX: y", "10", "cookie"),
    ("canary", "round-robin", "r2", "10", "cookie"),
    ("canary", "nobody", "off"),
    ("drain", "127.0.0.2,a;b", "60"),
    ("drain", "", "60"),
    ("drain", "127.0.0.2:99999", "60"),
    ("drain", "127.0.0.2", "86401"),
    ("drain", "127.0.0.2", "nan"),
    ("drain", "127.0.0.2", "0x10"),
    ("wait", "x", "1"),
    ("wait", PEERS[0], "inf"),
    ("probe", "localhost:80", "1"),
    ("probe", FIRST[0], "path", "1"),
    ("probe", FIRST[0], "/a b", "1"),
    ("probe", FIRST[0], "/\r\nX: y", "1"),
    ("probe", FIRST[0], "/", "a\r\nX: y", "1"),
    ("restore", "everybody"),
    ("state", "extra"),
    (),
)


RAW = (
    ("POST", "admit?peers"),
    ("POST", "drain?target=127.0.0.2&target=127.0.0.3&ttl=1"),
    ("POST", "canary"),
    ("POST", "admit?peers=%00"),
    ("GET", "admit?peers=x"),
    ("GET", "x"),
)


def raw_status(lab: Lab, edge: str, method: str, question: str) -> str:
    """What the control socket itself answers."""
    ask = "curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/slipway-edge/control.sock -X $1 \"http://e/$2\""
    return shell(lab, edge, ask, method, question)


@BOTH
def test_hostile_words_are_refused_and_change_nothing(lab: Lab, edge: str) -> None:
    """Each is told what is wanted; nothing of it becomes a key, a peer or a request. No other user is let in at all."""
    admit(lab, edge, SERVICE, "r1", [FIRST[0]])
    before = {name: state(lab, edge)[name] for name in ("upstreams", "drained")}
    for words in HOSTILE:
        refused = lab.exec(edge, ["slipway-edge", *words])
        assert refused.code in (1, 2), words
        assert refused.stderr, words
    as_nobody = ["setpriv", "--reuid=nobody", "--clear-groups", "slipway-edge", "admit", SERVICE, "r2", SECOND[0]]
    assert lab.exec(edge, as_nobody).code != 0
    assert [raw_status(lab, edge, *words) for words in RAW] == ["400", "400", "400", "400", "405", "404"]
    assert {name: state(lab, edge)[name] for name in ("upstreams", "drained")} == before


# --- under load


def test_twenty_changes_under_load_fail_no_request(lab: Lab, remotes: list[Remote]) -> None:
    """50 strict keep-alive POST clients on each edge: admitted, shared out, taken back, dismissed; none notices."""
    traffic.admit(remotes, peers_of(FIRST), 10)
    with under_load(lab.address("edge1"), SITE) as one, under_load(lab.address("edge2"), SITE) as two:
        gevent.sleep(1)
        for number in range(20):
            old, new = (FIRST, SECOND) if number % 2 == 0 else (SECOND, FIRST)
            traffic.admit(remotes, peers_of(new, f"r{number}"), 10)
            traffic.share(remotes, [SERVICE], Canary(f"r{number}", 5 * number, "cookie"))
            traffic.share(remotes, [SERVICE], None)
            traffic.drain(remotes, old, 10, 60, "test")
            traffic.dismiss(remotes, old)
            traffic.restore(remotes, old)
    assert one.failures + two.failures == []
    assert (one.connections, two.connections) == (50, 50)
    print(len(one.answers), len(two.answers))
    assert min((one.peers + two.peers)[name] for name in (*PEERS, *SECOND)) > 50


def test_a_roll_over_both_ports_under_load_fails_no_request(lab: Lab, remotes: list[Remote]) -> None:
    """Peers stop as soon as they are drained, with idle connections of the edges open to them, and start again at the
    same port a moment later: no request goes over a connection that has died."""
    edges = [Shell(lab, name) for name in EDGES]
    traffic.admit(remotes, peers_of(FIRST), 10)
    with under_load(lab.address("edge1"), SITE) as one, under_load(lab.address("edge2"), SITE) as two:
        gevent.sleep(1)
        for number, (address, ports) in enumerate(
            itertools.product(PEERS * 2, ((PEER_PORT, SECOND_PORT), (SECOND_PORT, PEER_PORT)))
        ):
            old, new = (f"{address}:{port}" for port in ports)
            traffic.admit(remotes, peers_of([new], f"r{number}"), 10)
            traffic.drain(remotes, [old], 10, 60, "test")
            traffic.dismiss(remotes, [old])
            for edge in EDGES:
                shell(lab, edge, "systemctl stop $1", unit_of(address, ports[0]))
                start_peer(lab, edge, address, ports[0], address if ports[0] == PEER_PORT else old)
    assert one.failures + two.failures == []
    assert (one.connections, two.connections) == (50, 50)
    assert traffic.inflight(edges, PEERS) == 0
