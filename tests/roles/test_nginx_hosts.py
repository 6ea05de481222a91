"""The role nginx on real hosts: edge1 is a Debian 13 (nginx 1.26), edge2 a Debian 12 (nginx 1.22)."""

from __future__ import annotations

import inspect
import itertools
import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import testinfra

from roles.nginx import role, traffic, verify
from slipway.lab.lab import Lab
from tests.roles.nginx_edges import (
    EDGES,
    HOLD_SECONDS,
    PEERS,
    Shell,
    bring,
    code,
    context,
    curl,
    edge_data,
    forget,
    inflight,
    peer,
    shell,
    state,
)
from tests.roles.nginx_load import under_load

pytestmark = pytest.mark.hosts

BOTH = pytest.mark.parametrize("edge", EDGES)
CHECKS = [name for name, _ in inspect.getmembers(verify, inspect.isfunction) if name.startswith("check_")]


@pytest.fixture(autouse=True)
def as_it_was(edges_lab: Lab) -> Iterator[None]:
    """Nobody is left drained by a test that failed."""
    yield
    for edge in EDGES:
        forget(edges_lab, edge)


@pytest.fixture
def lab(edges_lab: Lab) -> Lab:
    return edges_lab


# --- convergence


@BOTH
@pytest.mark.parametrize("check", CHECKS)
def test_a_fresh_edge_passes_its_own_checks(lab: Lab, edge: str, check: str) -> None:
    """Whatever `slipway verify` asks of an edge holds after the first run."""
    host = testinfra.get_host(f"ssh://{edge}", ssh_config=str(lab.ssh_config), sudo=True)
    ctx = context(lab, edge)
    getattr(verify, check)(host, role.wanted(edge_data(), ctx), ctx)


def test_converging_again_changes_nothing(lab: Lab) -> None:
    """The second run plans and does nothing."""
    assert all(outcome.is_unchanged for outcome in bring(lab, EDGES).values())


DAMAGE = {
    "sites/odd.test.conf": "echo '# by hand' >> $1",
    "lua/slipway/edge.lua": "chmod 777 $1",
    "routes/odd.test-1.conf": "chown www-data $1",
    "upstreams.json": "rm $1",
    "sites/new.conf": "echo > $1",
    "sites/turn.test.conf": "ln -sf /dev/null $1",
}


def test_a_hand_edit_of_any_live_file_is_told_and_mended(lab: Lab) -> None:
    """Content, mode, owner, a missing, a strange and a replaced file are each planned by name, and put right."""
    for edge, (path, damage) in itertools.product(EDGES, DAMAGE.items()):
        shell(lab, edge, f"cd /etc/nginx/slipway/current/ && {damage}", path)
    for outcome in bring(lab, EDGES).values():
        told = {line.split(":")[0] for line in outcome.planned}
        assert told == {f"/etc/nginx/slipway/current/{path}" for path in DAMAGE}
        assert outcome.changed == ["Stage the configuration of the edge", "Reload nginx"]
    assert all(outcome.is_unchanged for outcome in bring(lab, EDGES).values())


MAIN_PROCESS = "systemctl show nginx.service --property=MainPID,ActiveEnterTimestamp"


def test_a_hand_edit_of_the_main_file_is_mended_without_a_restart(lab: Lab) -> None:
    """An edge that restarts refuses connections; it would for no more than a comment."""
    before = [shell(lab, edge, MAIN_PROCESS) for edge in EDGES]
    for edge in EDGES:
        shell(lab, edge, "echo '# by hand' >> /etc/nginx/nginx.conf")
    for outcome in bring(lab, EDGES).values():
        assert outcome.changed == ["Write nginx.conf", "Reload nginx"]
    assert [shell(lab, edge, MAIN_PROCESS) for edge in EDGES] == before
    assert all(outcome.is_unchanged for outcome in bring(lab, EDGES).values())


FOREIGN = """\
events {}
http { server { listen 80; return 204; } }
"""


def test_an_nginx_that_others_have_set_up_is_taken_over_by_a_restart(lab: Lab) -> None:
    """It listens on every address: one that is told to reload finds its port taken by itself."""
    for edge in EDGES:
        shell(lab, edge, 'printf %s "$1" > /etc/nginx/nginx.conf; systemctl restart nginx', FOREIGN)
        assert code(lab, edge, "turn.test") == "204"
    for outcome in bring(lab, EDGES).values():
        assert outcome.changed == ["Take nginx over", "Write nginx.conf", "Restart nginx"]
    assert [code(lab, edge, "turn.test") for edge in EDGES] == ["200"] * len(EDGES)
    assert all(outcome.is_unchanged for outcome in bring(lab, EDGES).values())


def test_a_configuration_that_nginx_refuses_never_goes_live(lab: Lab) -> None:
    """nginx's own words are in the error; the old tree is live, serves, and is what a restart would load."""
    look = "readlink /etc/nginx/slipway/current; ls /etc/nginx/slipway"
    before = [shell(lab, edge, look) for edge in EDGES]
    for outcome in bring(lab, EDGES, edge_data(snippets={"bad": "no_such_directive on;"})).values():
        assert 'unknown directive "no_such_directive"' in outcome.error
    assert [shell(lab, edge, look) for edge in EDGES] == before
    assert [(code(lab, edge, "turn.test"), lab.exec(edge, ["nginx", "-t"]).code) for edge in EDGES] == [("200", 0)] * 2
    assert all(outcome.is_unchanged for outcome in bring(lab, EDGES).values())


def test_a_reload_that_was_owed_is_paid_by_the_next_run(lab: Lab) -> None:
    """A run that dies between the switch and the reload leaves a debt, which the next run finds and pays."""
    before = [state(lab, edge)["generation"] for edge in EDGES]
    for edge in EDGES:
        shell(lab, edge, "touch /var/lib/slipway/owed/reload:nginx")
    assert [outcome.changed for outcome in bring(lab, EDGES).values()] == [["Reload nginx"]] * 2
    assert [state(lab, edge)["generation"] - 1 for edge in EDGES] == before


def test_only_so_many_earlier_trees_are_kept(lab: Lab) -> None:
    """The live one and three before it; what else lies there is left alone."""
    for edge in EDGES:
        shell(lab, edge, "mkdir -p /etc/nginx/slipway/mine")
    for number in range(4):
        assert not any(each.error for each in bring(lab, EDGES, edge_data(snippets={"n": f"# {number}"})).values())
    for edge in EDGES:
        assert len(shell(lab, edge, "ls /etc/nginx/slipway | grep -vE '^(current|mine)$'").splitlines()) == 4
        shell(lab, edge, "rmdir /etc/nginx/slipway/mine")


def test_a_certificate_from_the_controller_is_served_and_its_key_is_roots(lab: Lab) -> None:
    """The lab's own certificate: verified by its authority, the key 0600 and in no diff."""
    tls = lab.layout.tls
    certificate = {"hosts": ["turn.test"], "certificate": str(tls / "server.crt"), "key_file": str(tls / "server.key")}
    assert not any(each.error for each in bring(lab, EDGES, edge_data(certificates=[certificate])).values())
    for edge in EDGES:
        assert shell(lab, edge, "stat -Lc %a:%U /etc/nginx/slipway/current/tls/turn.test.key") == "600:root"
        ask = ["openssl", "s_client", "-connect", f"{lab.address(edge)}:443", "-servername", "turn.test"]
        words = [*ask, "-CAfile", str(tls / "ca.crt")]
        said = subprocess.run(words, input="", capture_output=True, text=True, check=False).stdout
        assert "Verify return code: 0 (ok)" in said
    assert not any(each.error for each in bring(lab, EDGES).values())


# --- balancing


@BOTH
def test_round_robin_gives_each_peer_its_turn(lab: Lab, edge: str) -> None:
    """30 requests, 10 for each of three peers, over all workers."""
    assert Counter(peer(lab, edge, "turn.test") for _ in range(30)) == dict.fromkeys(PEERS, 10)


@BOTH
def test_least_conn_leaves_a_busy_peer_alone(lab: Lab, edge: str) -> None:
    """While one peer is busy with slow requests, the others have the quick ones."""
    ask = "curl -s -H 'Host: least.test' http://$1/ | head -n 1"
    with ThreadPoolExecutor(6) as pool:
        slow = [pool.submit(curl, lab, edge, "odd.test", "/slow/5") for _ in range(6)]
        time.sleep(1)
        assert inflight(lab, edge, PEERS[0]) == 6
        # In one command: ten by themselves took longer than the slow ones on a busy machine.
        quick = Counter(shell(lab, edge, f"for n in $(seq 10); do {ask}; done", lab.address(edge)).splitlines())
        assert all(each.result().stdout for each in slow)
    assert quick == {PEERS[1]: 5, PEERS[2]: 5}
    assert inflight(lab, edge, PEERS[0]) == 0


@BOTH
def test_a_session_stays_at_its_peer(lab: Lab, edge: str) -> None:
    """The cookie leads back to the same peer, is HttpOnly, and moves on when that peer is drained."""
    answer = curl(lab, edge, "cookie.test", "/", "-i").stdout
    line = next(line for line in answer.splitlines() if line.startswith("Set-Cookie: "))
    assert "; HttpOnly; SameSite=Lax" in line
    cookie = line.removeprefix("Set-Cookie: ").partition(";")[0]
    mine = answer.split("\n\n")[1].partition("\n")[0]
    assert {peer(lab, edge, "cookie.test", "-b", cookie) for _ in range(10)} == {mine}
    shell(lab, edge, "slipway-edge drain $1 60", mine)
    moved = curl(lab, edge, "cookie.test", "/", "-i", "-b", cookie).stdout
    assert "Set-Cookie: slipway_" in moved
    assert moved.split("\n\n")[1].partition("\n")[0] in set(PEERS) - {mine}


@BOTH
def test_a_client_address_stays_at_its_peer(lab: Lab, edge: str) -> None:
    """90 addresses spread over the peers, each stays; where a peer is drained its own clients move and no others."""

    def peers() -> list[str]:
        ask = "curl -s --interface 127.0.1.$n -H 'Host: address.test' http://$1/ | head -n 1"
        return shell(
            lab, edge, f"n=1; while [ $n -le 90 ]; do {ask}; n=$((n + 1)); done", lab.address(edge)
        ).splitlines()

    first = peers()
    assert peers() == first
    assert min(Counter(first)[address] for address in PEERS) >= 15
    shell(lab, edge, "slipway-edge drain $1 60", PEERS[0])
    moved = peers()
    assert PEERS[0] not in moved
    assert [now for was, now in zip(first, moved, strict=True) if was != PEERS[0]] == [
        p for p in first if p != PEERS[0]
    ]
    shell(lab, edge, "slipway-edge restore $1", PEERS[0])
    assert peers() == first


@BOTH
def test_a_peer_that_refuses_connections_costs_nobody_a_request(lab: Lab, edge: str) -> None:
    """POSTs too go to the next peer, and the dead one is left alone for a while."""
    assert {code(lab, edge, "odd.test", "/dead", "-d", "x") for _ in range(10)} == {"200"}
    peers = {each["address"]: each for each in state(lab, edge)["upstreams"]["dead-first"]["peers"]}
    assert peers["127.0.0.5:9"]["down_seconds"] > 0
    assert peers["127.0.0.5:9"]["failures"] <= 3


# --- what a site is


@BOTH
def test_a_websocket_is_upgraded_and_carries_bytes_both_ways(lab: Lab, edge: str) -> None:
    """The handshake goes through, what is sent comes back, and it counts as under way until it ends."""
    with socket.create_connection((lab.address(edge), 80), timeout=10) as connection:
        head = "GET /ws HTTP/1.1\r\nHost: odd.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"\x81\x05hello")
        assert connection.recv(4096) == b"\x81\x05hello"
        assert sum(inflight(lab, edge, address) for address in PEERS) == 1
    assert shell(lab, edge, "for a in 127.0.0.2 127.0.0.3 127.0.0.4; do slipway-edge wait $a 5; done") == "0\n0\n0"


@BOTH
def test_a_prefix_is_taken_off_and_others_left_alone(lab: Lab, edge: str) -> None:
    """/api/x is /x to the peer, /api is /, and /apiary is none of it; the query stays."""
    asked = {
        path: curl(lab, edge, "odd.test", path).stdout.splitlines()[1] for path in ("/api/x?a=1", "/api", "/apiary")
    }
    assert asked == {"/api/x?a=1": "GET /x?a=1", "/api": "GET /", "/apiary": "GET /apiary"}


@BOTH
def test_the_peer_is_told_who_asks_and_nothing_that_the_client_made_up(lab: Lab, edge: str) -> None:
    """X-Forwarded-For is the address that really asks; the request id is the one in the access log."""
    said = curl(lab, edge, "sub.odd.test", "/", "-H", "X-Forwarded-For: 1.2.3.4").stdout
    sent = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    log = json.loads(shell(lab, edge, "tail -n 1 /var/log/nginx/access.log"))
    assert (sent["x-forwarded-for"], sent["host"]) == (log["client"], "sub.odd.test")
    assert (sent["x-request-id"], log["status"], log["upstream"]) == (log["request_id"], 200, f"{PEERS[0]}:9000")


@BOTH
def test_too_many_requests_and_too_large_bodies_are_refused(lab: Lab, edge: str) -> None:
    """429 beyond rate and burst, 413 beyond the size; other paths go on."""
    few = Counter(code(lab, edge, "odd.test", "/few") for _ in range(8))
    assert few["429"] >= 4
    assert few["200"] >= 3
    assert code(lab, edge, "odd.test", "/small", "-d", "x" * 11) == "413"
    assert code(lab, edge, "odd.test") == "200"


@BOTH
def test_the_applications_own_security_header_stands(lab: Lab, edge: str) -> None:
    """X-Frame-Options of the application instead of ours, not beside it; the others are ours."""
    headers = curl(lab, edge, "odd.test", "/framed", "-i").stdout.split("\n\n")[0]
    assert (headers.count("X-Frame-Options: DENY"), headers.count("X-Frame-Options")) == (1, 1)
    assert "X-Content-Type-Options: nosniff" in headers


@BOTH
def test_tls_speaks_http2_and_an_acme_challenge_is_answered(lab: Lab, edge: str) -> None:
    """ALPN ends at h2; a file in the webroot answers over plain HTTP."""
    to = ["--resolve", f"turn.test:443:{lab.address(edge)}", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    said = subprocess.run(["curl", "-sk", *to, "https://turn.test/"], capture_output=True, text=True, check=False)
    assert said.stdout == "2 200"
    place = "/var/lib/slipway-acme/.well-known/acme-challenge"
    shell(lab, edge, f"mkdir -p {place}; echo proof > {place}/token")
    assert curl(lab, edge, "turn.test", "/.well-known/acme-challenge/token").stdout == "proof\n"


# --- drains


def test_twenty_drains_under_load_fail_no_request(lab: Lab) -> None:
    """50 strict keep-alive clients on each edge: a drained peer gets nothing, nobody has to reconnect, none fails."""
    edges, drains = [Shell(lab, name) for name in EDGES], []
    with under_load(lab.address("edge1"), "turn.test") as one, under_load(lab.address("edge2"), "least.test") as two:
        time.sleep(1)
        for number in range(20):
            address = PEERS[number % 3]
            traffic.drain(edges, [address], 10, 60, "test")
            drained = time.monotonic()
            assert traffic.inflight(edges, [address]) == 0
            time.sleep(0.2)
            drains.append((address, drained, time.monotonic()))
            traffic.restore(edges, [address])
    assert one.failures + two.failures == []
    assert (one.connections, two.connections) == (50, 50)
    assert min(load.peers[address] for load in (one, two) for address in PEERS) > 100
    for address, began, ended in drains:
        assert one.sent_between(began, ended) | two.sent_between(began, ended) == set(PEERS) - {address}


def test_a_drain_waits_for_slow_requests_and_no_longer_than_it_may(lab: Lab) -> None:
    """It returns when the request under way is done, and at its time limit when it is not."""
    edges = [Shell(lab, name) for name in EDGES]
    for seconds, left in ((10, 0), (1, 1)):
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(code, lab, "edge1", "odd.test", "/slow/4")
            time.sleep(0.5)
            began = time.monotonic()
            traffic.drain(edges, [PEERS[0]], seconds, 60, "test")
            assert traffic.inflight(edges, [PEERS[0]]) == left
            assert (time.monotonic() - began < 3) is bool(left)
            assert slow.result() == "200"
        traffic.restore(edges, [PEERS[0]])


@BOTH
def test_a_drain_outlives_reload_and_restart_and_ends_by_itself(lab: Lab, edge: str) -> None:
    """Kept by the running nginx over a reload, by a file over a restart and a kill; gone when its time is over."""
    shell(lab, edge, "slipway-edge drain $1 600 why; slipway-edge drain $2 8", PEERS[0], PEERS[1])
    began = time.monotonic()
    for action in ("systemctl reload nginx", "systemctl restart nginx", "kill -9 $(cat /run/nginx.pid); sleep 2"):
        shell(lab, edge, action)
        held = state(lab, edge)["drained"]
        assert (held[PEERS[0]]["reason"], 500 < held[PEERS[0]]["left"] < 600) == ("why", True)
        assert peer(lab, edge, "turn.test") != PEERS[0]
    time.sleep(max(0, began + 9 - time.monotonic()))
    assert list(state(lab, edge)["drained"]) == [PEERS[0]]
    assert {peer(lab, edge, "turn.test") for _ in range(10)} == {PEERS[1], PEERS[2]}


@BOTH
def test_a_request_waits_for_the_only_peer_to_come_back(lab: Lab, edge: str) -> None:
    """Where all are drained a request is held and answered after the restore; without one it is 503."""
    shell(lab, edge, "slipway-edge drain $1 60", PEERS[0])
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(code, lab, edge, "odd.test")
        time.sleep(1)
        assert not held.done()
        assert inflight(lab, edge, PEERS[0]) == 0
        shell(lab, edge, "slipway-edge restore $1", PEERS[0])
        assert held.result() == "200"
    shell(lab, edge, "slipway-edge drain $1 60", PEERS[0])
    began = time.monotonic()
    assert code(lab, edge, "odd.test") == "503"
    assert HOLD_SECONDS - 0.5 < time.monotonic() - began < HOLD_SECONDS + 3


@BOTH
def test_a_killed_worker_takes_its_requests_off_the_count(lab: Lab, edge: str) -> None:
    """Or every later drain would wait for them to its limit."""
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(curl, lab, edge, "odd.test", "/slow/15")
        time.sleep(1)
        assert inflight(lab, edge, PEERS[0]) == 8
        shell(lab, edge, "kill -9 $(cat /proc/$(cat /run/nginx.pid)/task/*/children)")
        assert shell(lab, edge, "sleep 1; slipway-edge wait $1 10", PEERS[0]) == "0"


@BOTH
def test_the_control_is_roots_alone(lab: Lab, edge: str) -> None:
    """No other user reaches the socket; wrong words change nothing and say what is wanted."""
    as_nobody = ["setpriv", "--reuid=nobody", "--clear-groups", "slipway-edge", "drain", PEERS[0], "60"]
    assert lab.exec(edge, as_nobody).code != 0
    for words in (["drain", "a;b", "60"], ["drain", PEERS[0], "1e9"], ["drain", PEERS[0], "-1"], ["drain", PEERS[0]]):
        assert lab.exec(edge, ["slipway-edge", *words]).code != 0
    assert state(lab, edge)["drained"] == {}


# --- reloads


@BOTH
def test_a_prepared_reload_under_load_fails_no_request(lab: Lab, edge: str) -> None:
    """Six reloads under 50 strict keep-alive clients: all go over to new connections, none fails."""
    with under_load(lab.address(edge), "turn.test") as load:
        time.sleep(1)
        for _ in range(6):
            shell(lab, edge, "systemctl reload nginx")
    assert load.failures == []
    assert load.connections > 6 * 50
    assert len(load.answers) > 1000


def test_a_reload_that_nginx_cannot_do_is_an_error(lab: Lab) -> None:
    """The configuration passes its test, but a port is taken: the run fails with nginx's words, the old one serves."""
    for edge in EDGES:
        shell(lab, edge, "systemd-run --unit=taken --collect perl /run/peer.pl 0.0.0.0 8181; sleep 0.5")
    taken = "server { listen 0.0.0.0:8181; return 204; }"
    for edge, outcome in bring(lab, EDGES, edge_data(snippets={"taken": taken})).items():
        assert outcome.error.startswith("Reload nginx: ")
        assert "bind() to 0.0.0.0:8181 failed (98: Address already in use)" in outcome.error
        assert code(lab, edge, "turn.test") == "200"
        shell(lab, edge, "systemctl stop taken")
    assert not any(each.error for each in bring(lab, EDGES).values())
