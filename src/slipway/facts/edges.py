"""What an edge answers, asked on the edge itself at its private address: the way that a request takes."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

PAUSE_SECONDS = 0.5
"""After a wrong answer: an edge leaves a peer that failed alone for seconds, so asking faster tells nothing new."""
TRY_SECONDS = 10
"""For one answer; an edge that holds a request while its peers are drained answers within that."""

_SCRIPT = r"""
address=$1 url=$2 wanted=$3 times=$4 seconds=$5 pause=$6 try=$7
read -r up _ < /proc/uptime; end=$((${up%%.*} + seconds)) right=0
while :; do
  body=$(curl --silent --show-error --insecure --location --max-time "$try" --noproxy '*' --connect-to "::$address:" \
    --write-out '\n%{http_code}' -- "$url" 2>&1); code=${body##*
}
  good=no
  case $code in 429) good=later ;; [1-4]??) case $body in *"$wanted"*) good=yes ;; esac ;; esac
  [ "$wanted" = "" ] || [ "$code" = 200 ] || [ "$good" != yes ] || good=no
  if [ "$good" = yes ]; then
    right=$((right + 1)); [ "$right" -lt "$times" ] || exit 0
    continue
  fi
  [ "$good" = later ] || right=0
  read -r up _ < /proc/uptime
  if [ "${up%%.*}" -ge "$end" ]; then printf '%s' "$body" | tr '\n' ' ' | cut -c 1-300; exit 0; fi
  sleep "$pause"
done
"""


class EdgeComplaint(FactBase[str]):
    """The wrong answer that an edge still gave when `seconds` were over; empty as soon as `times` in a row are right.

    Right is 200 with `wanted` in its text; with `wanted` empty, any status below 500. Redirects are followed
    on the same edge.
    """

    def command(self, address: str, url: str, wanted: str, times: int, seconds: int) -> StringCommand:
        return script(_SCRIPT, address, url, wanted, str(times), str(seconds), str(PAUSE_SECONDS), str(TRY_SECONDS))

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return " ".join(output)
