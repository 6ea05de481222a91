"""A canary's share of sessions on real edges: as large as asked, sticky, the same on every edge, and never lost."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from slipway.lab.lab import Lab
from tests.roles.nginx_edges import APP, EDGES, FIRST, PEERS, SECOND, forget, inflight, shell

pytestmark = pytest.mark.hosts

BOTH = pytest.mark.parametrize("edge", EDGES)
SERVICE, SITE = "app-round-robin", "app-turn.test"
SESSIONS = 1000
USERS = tuple(f"user-{number}" for number in range(SESSIONS))
OLD, NEW = set(PEERS), set(SECOND)
"""What the peers of each release call themselves."""


@pytest.fixture
def lab(edges_lab: Lab) -> Lab:
    return edges_lab


@pytest.fixture(autouse=True)
def two_releases(lab: Lab) -> Iterator[None]:
    """Every service has three peers of r1 and three of r2 on each edge."""
    script = 'admit="slipway-edge admit"; for each in $1; do $admit $each r1 $2; $admit $each r2 $3; done'
    for edge in EDGES:
        shell(lab, edge, script, " ".join(APP.values()), " ".join(FIRST), " ".join(SECOND))
    yield
    for edge in EDGES:
        forget(lab, edge)


def canary(lab: Lab, weight: int, *how: str, services: Sequence[str] = (SERVICE,)) -> None:
    for edge in EDGES:
        script = 'services=$1 weight=$2; shift 2; slipway-edge canary "$services" r2 "$weight" "$@"'
        shell(lab, edge, script, ",".join(services), str(weight), *how)


class Client:
    """Requests to one site of one edge, all on one connection."""

    def __init__(self, lab: Lab, edge: str, host: str = SITE) -> None:
        self._connection = http.client.HTTPConnection(lab.address(edge), timeout=20)
        self._host = host

    def ask(self, headers: Mapping[str, str]) -> tuple[str, str]:
        """Who answered, and the cookie that came with it."""
        self._connection.request("GET", "/", headers={"Host": self._host, **headers})
        answer = self._connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body
        return body.partition("\n")[0], answer.headers.get("Set-Cookie", "")

    def peers(self, requests: Sequence[Mapping[str, str]]) -> list[str]:
        return [self.ask(headers)[0] for headers in requests]


def releases(peers: Sequence[str]) -> list[str]:
    """Of each answer; of one by anybody else its name."""
    return ["new" if peer in NEW else "old" if peer in OLD else peer for peer in peers]


def share(found: Sequence[str]) -> float:
    """Percent that went to the new release."""
    assert set(found) <= {"old", "new"}
    return 100 * found.count("new") / len(found)


def moved(before: Sequence[str], after: Sequence[str]) -> set[tuple[str, str]]:
    return {(one, other) for one, other in zip(before, after, strict=True) if one != other}


# --- whose session is whose


def test_a_session_by_cookie_stays_with_its_release(lab: Lab) -> None:
    """The edge's own cookie: a random share, then the same release at every request, whichever edge answers."""
    canary(lab, 20, "cookie")
    first, other = (Client(lab, edge) for edge in EDGES)
    told = [first.ask({}) for _ in range(SESSIONS)]
    cookies = [{"Cookie": cookie.partition(";")[0]} for _, cookie in told]
    assert all(cookie.endswith("; Path=/; HttpOnly; SameSite=Lax") for _, cookie in told)
    before = releases([peer for peer, _ in told])
    # Five standard deviations of a thousand random sessions.
    assert abs(share(before) - 20) < 6.4
    assert releases(first.peers(cookies)) == releases(other.peers(cookies)) == before
    assert first.ask(cookies[0])[1] == ""
    canary(lab, 50, "cookie")
    after = releases(first.peers(cookies))
    assert releases(other.peers(cookies)) == after
    assert moved(before, after) == {("old", "new")}
    assert abs(share(after) - 50) < 8
    canary(lab, 0, "cookie")
    assert share(releases(first.peers(cookies))) == 0
    canary(lab, 100, "cookie")
    assert share(releases(first.peers(cookies))) == 100


def test_a_session_by_header_is_the_same_on_every_edge(lab: Lab) -> None:
    """The value decides, not the order, the case of the name, or what else is sent; without one the address does."""
    users = [{"X-User": user} for user in USERS]
    clients = [Client(lab, edge) for edge in EDGES]
    found = {}
    for weight in (0, 10, 25, 100):
        canary(lab, weight, "header", "X-User")
        found[weight] = releases(clients[0].peers(users))
        assert releases(clients[1].peers([{"x-user": f"{user}, more"} for user in USERS])) == found[weight]
    assert (share(found[0]), share(found[100])) == (0, 100)
    assert abs(share(found[10]) - 10) < 5
    assert abs(share(found[25]) - 25) < 7
    assert moved(found[10], found[25]) == {("old", "new")}
    canary(lab, 50, "header", "X-User")
    nameless = [set(releases(client.peers([{}] * 20))) for client in clients]
    assert nameless[0] == nameless[1]
    assert len(nameless[0]) == 1


def test_a_session_by_address_is_the_same_on_every_edge(lab: Lab) -> None:
    """A thousand addresses; raising the weight moves some to the new release and none back."""
    program = (Path(__file__).parent / "nginx_addresses.pl").read_text(encoding="utf-8")

    def found(edge: str) -> list[str]:
        ask = 'perl -e "$1" "$2" "$3" "$4"'
        said = shell(lab, edge, ask, program, lab.address(edge), SITE, str(SESSIONS))
        return releases(said.splitlines())

    canary(lab, 20, "address")
    before = found("edge1")
    assert found("edge2") == before
    assert abs(share(before) - 20) < 6.4
    canary(lab, 60, "address")
    after = found("edge1")
    assert moved(before, after) == {("old", "new")}
    assert abs(share(after) - 60) < 8


@BOTH
def test_a_cookie_is_only_believed_as_the_edge_writes_it(lab: Lab, edge: str) -> None:
    """Anything else gets a new one; over TLS it is Secure; without a canary there is none."""
    canary(lab, 50, "cookie")
    client = Client(lab, edge)
    for value in ("100", "-1", "1e1", "x", "007", "", "9 9"):
        assert client.ask({"Cookie": f"slipway_session={value}"})[1].startswith("slipway_session=")
    to = ["--resolve", f"{SITE}:443:{lab.address(edge)}", "-o", "/dev/null", "-D", "-"]
    said = subprocess.run(["curl", "-sk", *to, f"https://{SITE}/"], capture_output=True, text=True, check=True).stdout
    assert "; SameSite=Lax; Secure" in said
    shell(lab, edge, "slipway-edge canary $1 off", SERVICE)
    assert client.ask({})[1] == ""


# --- within and between the releases


@BOTH
def test_every_way_of_balancing_works_within_a_release(lab: Lab, edge: str) -> None:
    """Each session's requests reach its release and no other, spread as the service asks for."""
    canary(lab, 30, "header", "X-User", services=list(APP.values()))
    users = [{"X-User": user} for user in USERS[:300]]
    by_site = {site: Client(lab, edge, site).peers(users) for site in APP}
    wanted = releases(by_site[SITE])
    assert {site: releases(found) for site, found in by_site.items()} == dict.fromkeys(APP, wanted)
    turns = Counter(by_site[SITE])
    for group in (OLD, NEW):
        assert max(turns[peer] for peer in group) - min(turns[peer] for peer in group) <= 1
        # One client's address has one peer of each release.
        assert len(group & set(by_site["app-address.test"])) == 1


@BOTH
def test_a_sticky_session_stays_at_its_replica_when_it_moves_to_the_new_release(lab: Lab, edge: str) -> None:
    """The cookie names the replica, not its port: old and new of the same place are the same to it."""
    site, service = "app-cookie.test", APP["app-cookie.test"]
    canary(lab, 0, "header", "X-User", services=[service])
    client = Client(lab, edge, site)
    for user in USERS[:6]:
        peer, cookie = client.ask({"X-User": user})
        headers = {"X-User": user, "Cookie": cookie.partition(";")[0]}
        assert set(client.peers([headers] * 5)) == {peer}
        canary(lab, 100, "header", "X-User", services=[service])
        assert set(client.peers([headers] * 5)) == {f"{peer}:9005"}
        canary(lab, 0, "header", "X-User", services=[service])


@BOTH
def test_a_release_without_a_peer_yields_to_the_other(lab: Lab, edge: str) -> None:
    """Drained, dismissed or dead: nobody's request is lost for the sake of a share."""
    canary(lab, 50, "header", "X-User")
    users = [{"X-User": user} for user in USERS[:100]]
    client = Client(lab, edge)
    for gone, left in ((SECOND, "old"), (FIRST, "new")):
        shell(lab, edge, "slipway-edge drain $1 60", ",".join(gone))
        assert set(releases(client.peers(users))) == {left}
        shell(lab, edge, "slipway-edge restore $1", ",".join(gone))
    assert set(releases(client.peers(users))) == {"old", "new"}
    dead = [f"127.0.0.{number}:9" for number in (5, 6, 7)]
    shell(
        lab, edge, 'slipway-edge dismiss $1; slipway-edge admit "$2" r2 $3', ",".join(SECOND), SERVICE, " ".join(dead)
    )
    assert set(releases(client.peers(users))) == {"old"}
    shell(lab, edge, "slipway-edge dismiss $1", ",".join([*dead, *FIRST]))
    assert set(releases(client.peers(users))) == {"old"}  # nobody is admitted: the candidates, first ports first


@BOTH
@pytest.mark.parametrize(("bucket", "release"), [("0", "new"), ("99", "old")])
def test_a_websocket_goes_to_its_sessions_release(lab: Lab, edge: str, bucket: str, release: str) -> None:
    """An upgrade is a request like any other."""
    canary(lab, 50, "cookie")
    with socket.create_connection((lab.address(edge), 80), timeout=10) as connection:
        head = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(f"{head}Host: {SITE}\r\nCookie: slipway_session={bucket}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        held = {name: inflight(lab, edge, ",".join(peers)) for name, peers in (("old", FIRST), ("new", SECOND))}
    assert held == {"old": 0, "new": 0} | {release: 1}
