"""Waiting, with an end: for a port to take connections, for an HTTP answer."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation

from slipway.facts.files import script
from slipway.report import note_change

PAUSE_SECONDS = 0.5
"""Between two tries: short against a service's start, long against what a try costs."""
TRY_SECONDS = 5
"""A service that accepts and then says nothing has not answered; the next try may be luckier."""

_LOOP = """\
uptime() { read -r up _ < /proc/uptime; printf '%s' "${up%%.*}"; }  # a clock that is set does not move it
deadline=$(($(uptime) + $1)); pause=$2; shift 2
until try "$@"; do
  if [ "$(uptime)" -ge "$deadline" ]; then printf '%s\\n' "$said" >&2; exit 1; fi
  sleep "$pause"
done
"""

_PORT = """\
try() {
  # bash, which every Debian has, can open a connection by itself; nothing has to be installed for a wait.
  said=$(timeout "$3" bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$1" "$2" 2>&1) && return 0
  said="$1 port $2 takes no connection: ${said:-no answer within $3 s}"; return 1
}
"""

_HTTP = """\
try() {
  url=$1 status=$2 header=$3 text=$4 seconds=$5
  body=$(curl --silent --show-error --insecure --max-time "$seconds" --noproxy '*' \\
    ${header:+--header "Host: $header"} --write-out '\\n%{http_code}' -- "$url" 2>&1) && code=${body##*
} || { said="GET $url: $(printf '%s' "$body" | head -n 1)"; return 1; }
  body=${body%?"$code"}
  said="GET $url: $code, wanted $status; it said: $(printf '%.300s' "$body")"
  [ "$code" = "$status" ] || return 1
  said="GET $url: $code as wanted, but without \\"$text\\"; it said: $(printf '%.300s' "$body")"
  case $body in *"$text"*) return 0 ;; esac
  return 1
}
"""


class PortAnswers(FactBase[bool]):
    """Whether a port takes connections now, as seen from the host."""

    def command(self, address: str, port: str) -> StringCommand:
        return script(f'{_PORT}try "$@" && echo yes || echo no', address, port, str(TRY_SECONDS))

    @staticmethod
    def default() -> bool:
        return False

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


class HttpAnswers(FactBase[bool]):
    """Whether a URL gives the wanted answer now, as seen from the host."""

    def command(self, url: str, status: str, host_header: str, contains: str) -> StringCommand:
        return script(f'{_HTTP}try "$@" && echo yes || echo no', url, status, host_header, contains, str(TRY_SECONDS))

    @staticmethod
    def default() -> bool:
        return False

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


@operation()
def port(address: str, port: int, seconds: int = 60) -> Generator[StringCommand]:
    """Something takes connections there, seen from the host, within so many seconds. Fails saying why not."""
    if host.get_fact(PortAnswers, address=address, port=str(port)):
        return
    note_change(f"{address} port {port}", "wait until it takes connections")
    yield _bounded(_PORT + _LOOP, seconds, address, str(port), str(TRY_SECONDS))


@operation()
def http(
    url: str, status: int = 200, seconds: int = 60, host_header: str | None = None, contains: str | None = None
) -> Generator[StringCommand]:
    """The URL answers so, seen from the host, within so many seconds. Fails with the last answer. Needs curl there.

    + host_header: name to ask for where the URL has an address
    + contains: text that the answer must hold

    Certificates are not checked: this asks whether a service answers, not whether a browser would trust it.
    """
    wanted = (url, str(status), host_header or "", contains or "")
    if host.get_fact(HttpAnswers, url=wanted[0], status=wanted[1], host_header=wanted[2], contains=wanted[3]):
        return
    note_change(url, f"wait until it answers {status}")
    yield _bounded(_HTTP + _LOOP, seconds, *wanted, str(TRY_SECONDS))


def _bounded(text: str, seconds: int, *arguments: str) -> StringCommand:
    words = script(text, str(seconds), str(PAUSE_SECONDS), *arguments)
    # The last try may begin just before the end; a margin keeps its own message from being cut off.
    return StringCommand(*words.bits, _timeout=seconds + 2 * TRY_SECONDS + 5)
