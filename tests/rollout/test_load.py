"""The load sees what goes wrong: each server here does one thing wrong. A load that cannot fail proves nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes
from websockets.asyncio.server import ServerConnection

from slipway.lab.layout import Layout
from slipway.lab.tls import SERVER_NAMES, ensure_certificates
from tests.rollout import servers
from tests.rollout.load import ROOT, Edge, LoadFailed, Seen, load
from tests.rollout.load.clients import run
from tests.rollout.load.seen import HTTP2, KEEP_ALIVE, NEW, SLOW, SOCKET, Failure
from tests.rollout.load.wanted import Wanted
from tests.rollout.servers import Http1, Http2
from tests.rollout.sessions import sessions

pytestmark = pytest.mark.tools

HOST = SERVER_NAMES[0]
LOADED_SECONDS = 0.5
"""Of this process's own time, which passes only as fast as a busy machine lets it; both sides run in it."""
LONGEST_SECONDS = 30
PATIENCE_SECONDS = 10
"""With servers that answer: they and their clients share a machine that may be busy."""
SHORT_PATIENCE_SECONDS = 0.3
"""With those that never do."""
RATE = 20
"""Of each edge, and there are thirty: both sides of all of them are this one process."""


# --- HTTP/1.1


async def good(http: Http1) -> None:
    http.answer()


async def closes_when_idle(http: Http1) -> None:
    http.answer()
    http.close()


async def closes_on_a_request(http: Http1) -> None:
    http.answer() if http.number == 1 else http.close()


async def resets_on_a_request(http: Http1) -> None:
    http.answer() if http.number == 1 else http.reset()


async def says_close(http: Http1) -> None:
    http.answer(status="500 asked again" if http.said_close else "200 OK", headers="Connection: close\r\n")
    http.said_close = True


async def says_500(http: Http1) -> None:
    http.answer(status="500 Oops")


async def is_silent(http: Http1) -> None:
    pass


async def cuts_answers(http: Http1) -> None:
    http.answer(length=len(http.echo) + 1)
    http.close()


async def says_too_much(http: Http1) -> None:
    http.answer(http.echo + b"!", length=len(http.echo))


async def mixes_up_answers(http: Http1) -> None:
    http.answer(b'{"echo": {"word": 7}}')


async def gives_up_slow_ones(http: Http1) -> None:
    http.close() if http.path.startswith("/api/slow") else http.answer()


HTTP1 = {
    good: "",
    closes_when_idle: "",
    says_close: "",
    closes_on_a_request: "closed, no answer",
    resets_on_a_request: "ConnectionResetError",
    says_500: "500: ",
    cuts_answers: "closed in the middle of the answer",
    says_too_much: "1 bytes more than its Content-Length",
    mixes_up_answers: "came back as",
    gives_up_slow_ones: "closed, no answer",
}
"""What each is seen to do wrong; nothing where it does nothing wrong."""


# --- HTTP/2


def serves(http: Http2, stream: int) -> None:
    http.answer(stream)


def goes_away(http: Http2, stream: int) -> None:
    """As nginx does when it is reloaded: open streams are answered, later ones are not."""
    if http.asked == 3:
        http.go_away(stream)
    if http.asked <= 3:
        asyncio.get_running_loop().call_later(0.05, http.answer, stream)


_count = itertools.count(1)


def goes_away_before_a_stream(http: Http2, stream: int) -> None:
    http.go_away(max(stream - 2, 0)) if next(_count) == 5 else http.answer(stream)


def drops_a_stream(http: Http2, stream: int) -> None:
    if http.asked < 3:
        http.answer(stream)
    else:
        http.go_away(stream)
        http.transport.close()


def resets_streams(http: Http2, stream: int) -> None:
    http.reset(stream, ErrorCodes.INTERNAL_ERROR)


def refuses_some(http: Http2, stream: int) -> None:
    http.reset(stream, ErrorCodes.REFUSED_STREAM) if http.asked == 2 else http.answer(stream)


def refuses_all(http: Http2, stream: int) -> None:
    http.reset(stream, ErrorCodes.REFUSED_STREAM)


def says_503(http: Http2, stream: int) -> None:
    http.answer(stream, "503")


def answers_no_stream(http: Http2, stream: int) -> None:
    pass


STREAMS = {
    serves: "",
    goes_away: "",
    goes_away_before_a_stream: "",
    refuses_some: "",
    drops_a_stream: "connection closed before the answer",
    resets_streams: "stream reset",
    refuses_all: "not begun on, 3 times",
    says_503: "503: ",
}


# --- WebSockets


async def echoes(socket: ServerConnection) -> None:
    async for word in socket:
        await socket.send(word)


async def restarts(socket: ServerConnection) -> None:
    await socket.send(await socket.recv())
    await socket.close(1012)


async def moves_away(socket: ServerConnection) -> None:
    await socket.close(1001)


async def breaks(socket: ServerConnection) -> None:
    await socket.close(1011)


async def vanishes(socket: ServerConnection) -> None:
    await socket.recv()
    socket.transport.abort()


async def echoes_wrongly(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.send("something else")
    await socket.wait_closed()


async def hears_nothing(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def babbles(socket: ServerConnection) -> None:
    await socket.send("by the way")
    await socket.wait_closed()


SOCKETS = {
    echoes: "",
    restarts: "",
    moves_away: "",
    breaks: "ended with 1011",
    vanishes: "ended with 1006",
    echoes_wrongly: "was told 'something else'",
    babbles: "said nothing, was told",
}


# --- all of them loaded at the same time


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab's certificates, which no lab is needed for."""
    layout = Layout("self-test", tmp_path_factory.mktemp("tls"))
    ensure_certificates(layout)
    return layout.tls / "ca.crt"


@pytest.fixture(scope="module")
def seen(authority: Path) -> dict[str, Seen]:
    """What was seen of each sort of servers."""
    return asyncio.run(_load_all(authority)) | asyncio.run(_load_silent(authority))


async def _load_all(authority: Path) -> dict[str, Seen]:
    fine, fine_tls = await servers.http1(good), await servers.http2(serves, _tls(authority, "h2"))
    http1 = [Edge(b.__name__, "127.0.0.1", await servers.http1(b), fine_tls) for b in HTTP1]
    http1.append(Edge("nobody", "127.0.0.1", servers.nobody(), fine_tls))
    http2 = [Edge(b.__name__, "127.0.0.1", fine, await servers.http2(b, _tls(authority, "h2"))) for b in STREAMS]
    older = Edge("speaks_http1_only", "127.0.0.1", fine, await servers.http2(serves, _tls(authority, "http/1.1")))
    sockets = [Edge(b.__name__, "127.0.0.1", await servers.websocket(b)) for b in SOCKETS]
    sockets.append(Edge("refuses", "127.0.0.1", await servers.websocket(echoes, refuses=True)))
    return await _load_each(
        http1=_wanted(authority, http1, shares={KEEP_ALIVE: 0.7, NEW: 0.3}),
        http2=_wanted(authority, [*http2, older], shares={HTTP2: 1}),
        sockets=_wanted(authority, sockets, shares={}, slow=0, sockets=len(sockets)),
    )


async def _load_silent(authority: Path) -> dict[str, Seen]:
    streams = await servers.http2(answers_no_stream, _tls(authority, "h2"))
    silent = Edge("silent", "127.0.0.1", await servers.http1(is_silent), streams)
    deaf = Edge("deaf", "127.0.0.1", await servers.websocket(hears_nothing))
    patience = {"answer_seconds": SHORT_PATIENCE_SECONDS}
    return await _load_each(
        silent=_wanted(authority, [silent], sockets=1, **patience),
        deaf=_wanted(authority, [deaf], shares={}, slow=0, sockets=1, **patience),
    )


async def _load_each(**wanted: Wanted) -> dict[str, Seen]:
    stop = asyncio.Event()
    until = asyncio.create_task(_stop_when_loaded(stop))
    found = await asyncio.gather(*(run(each, stop) for each in wanted.values()))
    await until
    return dict(zip(wanted, found, strict=True))


async def _stop_when_loaded(stop: asyncio.Event) -> None:
    worked, began = time.process_time(), time.monotonic()
    await asyncio.sleep(LOADED_SECONDS)
    while time.process_time() - worked < LOADED_SECONDS and time.monotonic() - began < LONGEST_SECONDS:
        await asyncio.sleep(LOADED_SECONDS / 10)
    stop.set()


def _wanted(authority: Path, edges: list[Edge], **more: Any) -> Wanted:
    settings: dict[str, Any] = {
        "rate": RATE * len(edges), "keep_alive": 2, "slow": 2, "slow_seconds": 0.1, "sockets": 0, "echo_seconds": 0.05,
        "answer_seconds": PATIENCE_SECONDS,
    }  # fmt: skip
    return Wanted(tuple(edges), HOST, str(authority), **(settings | more))


def _tls(authority: Path, protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("server.crt"), authority.with_name("server.key"))
    context.set_alpn_protocols([protocol])
    return context


def failures(seen: Seen, edge: str) -> list[Failure]:
    return [failure for failure in seen.failures if failure.edge == edge]


def answered(seen: Seen, edge: str) -> set[str]:
    return {answer.kind for answer in seen.answers if answer.edge == edge}


@pytest.mark.parametrize(("server", "what"), [(b.__name__, what) for b, what in HTTP1.items() if what])
def test_a_server_that_answers_wrongly_is_seen_to(seen: dict[str, Seen], server: str, what: str) -> None:
    """Every failure says what came instead of an answer."""
    found = failures(seen["http1"], server)
    assert {failure.kind for failure in found} >= ({SLOW} if server == "gives_up_slow_ones" else {KEEP_ALIVE})
    assert [failure.what for failure in found if what not in failure.what] == []


@pytest.mark.parametrize("server", [b.__name__ for b, what in HTTP1.items() if not what])
def test_what_http1_allows_is_no_failure(seen: dict[str, Seen], server: str) -> None:
    """An idle connection may be closed, and an answer may say that it is the last one."""
    assert failures(seen["http1"], server) == []
    assert answered(seen["http1"], server) == {KEEP_ALIVE, NEW, SLOW}


def test_an_edge_that_is_not_there_fails_every_kind(seen: dict[str, Seen]) -> None:
    """Connections kept and new ones, and the slow requests."""
    found = failures(seen["http1"], "nobody")
    assert {failure.kind for failure in found} == {KEEP_ALIVE, NEW, SLOW}
    assert all("ConnectionRefusedError" in failure.what for failure in found)


def test_an_edge_that_never_answers_fails_every_kind(seen: dict[str, Seen]) -> None:
    """Each client waits so long and no longer."""
    found = failures(seen["silent"], "silent")
    assert {failure.kind for failure in found} == {KEEP_ALIVE, NEW, HTTP2, SLOW, SOCKET}
    assert {failure.what for failure in found if failure.kind == HTTP2} == {"no answer within 0.3 s"}
    assert "no echo within 0.3 s" in {failure.what.partition(", ")[2] for failure in failures(seen["deaf"], "deaf")}


@pytest.mark.parametrize(("server", "what"), [(b.__name__, what) for b, what in STREAMS.items() if what])
def test_a_stream_without_its_answer_is_a_failure(seen: dict[str, Seen], server: str, what: str) -> None:
    """Whatever the connection said in its place."""
    found = failures(seen["http2"], server)
    assert {failure.kind for failure in found} >= {HTTP2}
    assert [failure.what for failure in found if what not in failure.what] == []


@pytest.mark.parametrize("server", [b.__name__ for b, what in STREAMS.items() if not what])
def test_a_connection_may_go_away_in_order(seen: dict[str, Seen], server: str) -> None:
    """Streams that were begun on are answered, the others sent again: on a new connection where that is needed."""
    assert failures(seen["http2"], server) == []
    assert HTTP2 in answered(seen["http2"], server)


def test_streams_that_were_not_begun_on_are_sent_again(seen: dict[str, Seen]) -> None:
    """One after a GOAWAY, one refused on each of two connections, and three times each that nobody takes."""
    assert seen["http2"].retries >= 1 + 2 + 3


def test_an_edge_without_http2_is_a_failure(seen: dict[str, Seen]) -> None:
    """It would be loaded with nothing."""
    found = failures(seen["http2"], "speaks_http1_only")
    assert {failure.what for failure in found} == {"the edge does not speak HTTP/2"}


@pytest.mark.parametrize(
    ("server", "what"), [*((b.__name__, what) for b, what in SOCKETS.items() if what), ("refuses", "HTTP 503")]
)
def test_a_websocket_that_breaks_is_a_failure(seen: dict[str, Seen], server: str, what: str) -> None:
    """It ends without a word or with another word than "come again", says something else, or cannot be opened."""
    found = failures(seen["sockets"], server)
    assert {failure.kind for failure in found} == {SOCKET}
    assert [failure.what for failure in found if what not in failure.what] == []


@pytest.mark.parametrize("server", [b.__name__ for b, what in SOCKETS.items() if not what])
def test_a_websocket_that_is_told_to_come_again_has_ended(seen: dict[str, Seen], server: str) -> None:
    """When, with which code and after what time: that is counted, and is no failure."""
    assert failures(seen["sockets"], server) == []
    codes = {ended.code for ended in seen["sockets"].sockets.ended if ended.edge == server}
    assert codes == {"echoes": set(), "restarts": {1012}, "moves_away": {1001}}[server]


def test_what_was_seen_can_be_asked(seen: dict[str, Seen]) -> None:
    """By time, by release, by kind; and it survives the way from its own process."""
    found = seen["http1"]
    assert found.releases == [servers.RELEASE]
    assert sum(sum(met.values()) for _, met in found.releases_over_time()) == len(found.answers)
    middle, end = found.began + found.seconds / 2, found.ended + PATIENCE_SECONDS + LONGEST_SECONDS
    first, second = found.between(found.began, middle), found.between(middle, end)
    assert len(first.answers) + len(second.answers) == len(found.answers)
    assert len(first.failures) + len(second.failures) == len(found.failures)
    other = Seen()
    other.fill(json.loads(json.dumps(found.as_json())))
    assert other == found


# --- the process


def test_the_load_is_a_process_that_tells_what_it_saw(authority: Path) -> None:
    """Here an edge that is not there: every kind of client has failed, and says so when the block ends."""
    edge = Edge("nobody", "127.0.0.1", servers.nobody(), servers.nobody())
    with load([edge], HOST, authority, sockets=2) as seen:
        time.sleep(0.1)  # some requests of each kind
    assert {failure.kind for failure in seen.failures} == {KEEP_ALIVE, NEW, HTTP2, SLOW, SOCKET}
    assert "nobody keep-alive: ConnectionRefusedError" in seen.told()


def test_a_load_that_ended_too_early_is_an_error(authority: Path) -> None:
    """What was seen until then must not pass for the whole."""
    edge = Edge("nobody", "127.0.0.1", servers.nobody(), servers.nobody())
    with pytest.raises(LoadFailed, match="longest_seconds"), load([edge], HOST, authority, longest_seconds=0.01):
        time.sleep(0.1)  # longer than that


def test_the_load_ends_when_its_parent_is_gone(authority: Path) -> None:
    """The end of its standard input is a word to stop."""
    wanted = {"edges": [], "host": HOST, "authority": str(authority)}
    words = [sys.executable, "-m", "tests.rollout.load", json.dumps(wanted)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(timeout=10) == 0


# --- sessions


class _Canary(BaseHTTPRequestHandler):
    """Every fourth new session meets `new`; keeps to it by cookie, or by header, or, at /wavers, not at all."""

    met: list[str] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        mark = str(self.headers.get("Cookie") or self.headers.get("X-User", ""))
        release = mark.partition("=")[2] or self._next(mark)
        body = json.dumps({"release": release}).encode()
        self.send_response(200)
        self.send_header("Set-Cookie", f"canary={release}; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _next(self, mark: str) -> str:
        if mark:
            return "new" if int(mark.partition("-")[2]) % 4 == 0 else "old"
        self.met.append("")
        return "new" if len(self.met) % 4 == 0 else "old"

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def canary() -> Iterator[Edge]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Canary) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield Edge("canary", "127.0.0.1", server.server_address[1])
        server.shutdown()


def test_sessions_are_sampled_by_cookie_and_by_header(canary: Edge) -> None:
    """Their share, and that each stays where it was sent first."""
    for header in ("", "X-User"):
        found = sessions(canary, HOST, 20, header=header)
        assert (found.share("new"), found.wavering) == (0.25, [])


def test_a_session_that_wavers_is_seen(canary: Edge) -> None:
    """Marked by a header that the server does not know, and without cookies, each request is a new session to it."""
    assert len(sessions(canary, HOST, 20, requests=4, header="X-Other").wavering) == 20
