"""Waiting on real hosts: until it answers as it should, or to an end that says what it answered last."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from slipway.ops import packages, waits
from tests.roles.debians import NEW, Debians

pytestmark = pytest.mark.hosts

SERVER = """\
cat > /tmp/slow-server.pl <<'END'
use IO::Socket::INET;
my $ready = time + 3;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8099", Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  my ($host, $line) = ("", "");
  while (defined($line = <$client>) && $line =~ /\\S/) { $host = $1 if $line =~ /^Host: (\\S+)/ }
  my $body = time < $ready ? "starting" : "ready for $host\\n";
  my $code = time < $ready ? "503 Not Yet" : "200 OK";
  print $client "HTTP/1.0 $code\\r\\nContent-Length: " . length($body) . "\\r\\n\\r\\n$body";
  close $client;
}
END
nohup setsid sh -c 'sleep 1; exec perl /tmp/slow-server.pl' > /dev/null 2>&1 & echo $!
"""
"""Takes connections after one second, and answers 503 for three more before it is ready."""


@pytest.fixture
def server(debians: Debians) -> Iterator[Debians]:
    debians.run(lambda: packages.installed(names=["curl"], name="Install curl"), [NEW])
    pid = debians.told(NEW, SERVER)
    yield debians
    debians.told(NEW, f"kill {pid}; rm /tmp/slow-server.pl")


def test_a_port_is_waited_for_and_then_not_any_more(server: Debians) -> None:
    """The first run waits; a second one has nothing to wait for."""

    def wait() -> None:
        waits.port(address="127.0.0.1", port=8099, seconds=20, name="Wait")

    assert server.run(wait, [NEW])[NEW].error == ""
    assert server.run(wait, [NEW])[NEW].is_unchanged


def test_an_answer_is_waited_for_in_status_host_and_text(server: Debians) -> None:
    """An answer with another status is no answer; the name that is asked for reaches the server."""

    def wait() -> None:
        waits.http(
            url="http://127.0.0.1:8099/ready", seconds=20, host_header="app.test", contains="for app.test", name="Wait"
        )

    assert server.run(wait, [NEW])[NEW].error == ""
    assert server.run(wait, [NEW])[NEW].is_unchanged


def test_the_end_of_the_wait_tells_the_last_answer(server: Debians) -> None:
    """Nobody there, another status, another text: each is told, within the time that was given."""
    began = time.monotonic()
    closed = server.run(lambda: waits.port(address="127.0.0.1", port=9, seconds=2, name="Wait"), [NEW])[NEW]
    assert "127.0.0.1 port 9 takes no connection" in closed.error
    assert "refused" in closed.error

    def answer(**wanted: object) -> str:
        operation = lambda: waits.http(url="http://127.0.0.1:8099/", seconds=2, name="Wait", **wanted)  # noqa: E731
        return server.run(operation, [NEW])[NEW].error

    server.run(lambda: waits.http(url="http://127.0.0.1:8099/", seconds=20, name="Wait"), [NEW])
    assert "GET http://127.0.0.1:8099/: 200, wanted 204; it said: ready for 127.0.0.1:8099" in answer(status=204)
    assert '200 as wanted, but without "done"; it said: ready' in answer(contains="done")
    gone = server.run(lambda: waits.http(url="http://127.0.0.1:9/", seconds=1, name="Wait"), [NEW])[NEW]
    assert "GET http://127.0.0.1:9/: curl: (7)" in gone.error
    assert time.monotonic() - began < 60, "bounded, even on a busy machine"
