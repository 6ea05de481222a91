"""What an edge answers, asked on the edge itself at its private address: the way that a request takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

PAUSE_SECONDS = 0.5
"""After a wrong answer: an edge leaves a peer that failed alone for seconds, so asking faster tells nothing new."""
TRY_SECONDS = 10
"""For one answer; an edge that holds a request while its peers are drained answers within that."""

# What is still to be seen right goes to one curl, which is a program that a host takes long to start: with a connection
# for each, as of one client after the other. It ends at the first request that gets no answer. awk leaves how many
# answers in a row are right by now, and the last that was not.
_SCRIPT = r"""
address=$1 url=$2 times=$4 seconds=$5 pause=$6 try=$7 right=0
export wanted="$3" behind='slipway: answered '
judge='
function judged(code) {
  if (code == 200 && has || wanted == "" && code ~ /^[1-4]../ && code != 429) { right++; return }
  if (code != 429) right = 0
  wrong = text code " "
}
BEGIN { behind = ENVIRON["behind"]; wanted = ENVIRON["wanted"]; has = wanted == "" }
index($0, behind) == 1 { judged(substr($0, length(behind) + 1)); has = wanted == ""; text = ""; next }
{ if (index($0, wanted)) has = 1; if (length(text) < 300) text = text $0 " " }
END { print right, substr(wrong text, 1, 300) }'
read -r up _ < /proc/uptime; end=$((${up%%.*} + seconds))
while :; do
  set --; while [ $# -lt $((times - right)) ]; do set -- "$@" "$url"; done
  said=$(curl --silent --show-error --insecure --location --max-time "$try" --noproxy '*' --connect-to "::$address:" \
    --fail-early --header 'Connection: close' --write-out "\n$behind%{http_code}\n" -- "$@" 2>&1 |
    LC_ALL=C awk -v right="$right" "$judge")
  right=${said%% *}
  [ "$right" -lt "$times" ] || exit 0
  read -r up _ < /proc/uptime
  if [ "${up%%.*}" -ge "$end" ]; then printf '%s' "${said#* }"; exit 0; fi
  sleep "$pause"
done
"""


class EdgeComplaint(FactBase[str]):
    """The wrong answer that an edge still gave when `seconds` were over; empty as soon as `times` in a row are right.

    Right is 200 with `wanted` in its text; with `wanted` empty, any status below 500. Redirects are followed
    on the same edge.
    """

    is_live = True

    def command(self, address: str, url: str, wanted: str, times: int, seconds: int) -> StringCommand:
        return script(_SCRIPT, address, url, wanted, str(times), str(seconds), str(PAUSE_SECONDS), str(TRY_SECONDS))

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return " ".join(output)


EDGE_COMMAND = "/usr/local/sbin/slipway-edge"
"""Tells an edge who gets requests; there from the moment on that the edge is set up."""


# An nginx that is off has nobody; one that should answer and does not is an error.
_STATE = """\
[ -x "$1" ] || exit 0
if state=$("$1" state); then
  printf '%s\\n' "$state"
else
  code=$?; ! systemctl is-active --quiet nginx || exit "$code"
fi
"""


@dataclass(frozen=True)
class Admitted:
    """Who gets requests from an edge."""

    peers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service to address:port to release. A service that nobody was ever admitted to is not among them."""
    canaries: frozenset[str] = frozenset()
    """Services of which two releases share the sessions."""
    drained: Mapping[str, str] = field(default_factory=dict)
    """Host or address:port that gets nothing for a while, to the reason that was given."""


class AdmittedFact(FactBase[Admitted]):
    """Who was admitted at this edge. Empty where no edge runs."""

    def command(self) -> StringCommand:
        return script(_STATE, EDGE_COMMAND)

    @staticmethod
    def default() -> Admitted:
        return Admitted()

    def process(self, output: list[str]) -> Admitted:
        state: Mapping[str, Any] = json.loads("\n".join(output)) if output else {}
        upstreams: Mapping[str, Any] = state.get("upstreams", {})
        peers = {name: _releases(each["admitted"]) for name, each in upstreams.items() if each.get("admitted")}
        shared = frozenset(name for name, each in upstreams.items() if each.get("canary"))
        return Admitted(peers, shared, {name: lease["reason"] for name, lease in state.get("drained", {}).items()})


def _releases(listed: list[Mapping[str, str]]) -> dict[str, str]:
    return {peer["address"]: peer["release"] for peer in listed}
