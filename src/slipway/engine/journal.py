"""What is in progress, written down on every host of a rollout; and what people ask of it from another terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import gevent
from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.releases import RELEASES
from slipway.remote import Remote

JOURNAL = "/var/lib/slipway/journal.json"
REQUEST = "/run/slipway/request"
"""What somebody asks of the rollout in progress: one word (pause, abort), who, and when. Gone with a reboot."""

_WRITE = """\
set -eu
umask 022
mkdir -p -- "${1%/*}"
# One line: without its end, its sender died on the way, and what is noted stays.
IFS= read -r told || { echo 'the journal was cut short, and left as it was' >&2; exit 74; }
trap 'rm -f -- "$1.new"' EXIT
printf '%s\\n' "$told" > "$1.new"; sync -- "$1.new"; mv -fT -- "$1.new" "$1"
"""
_READ = """\
[ ! -f "$1" ] || { printf 'journal '; tr -d '\\n' < "$1"; echo; }
[ ! -f "$2" ] || { printf 'request '; head -n 1 "$2"; }
"""


@dataclass(frozen=True)
class Journal:
    """A rollout in progress."""

    stage: str
    before: str
    """Release that served when it began; empty where none did."""
    release: str
    """Release that it brings."""
    who: str
    since: str
    """UTC."""
    hosts: tuple[str, ...]
    """In the order in which they have their turn."""
    state: str = "rolling"
    """rolling, paused, canary or failed."""


@dataclass(frozen=True)
class Noted:
    """What one host has."""

    journal: Journal | None = None
    request: str = ""
    """pause or abort; empty where nothing is asked."""
    by: str = ""
    """Who asks."""


@dataclass(frozen=True)
class Standing:
    """How a host stands when a run begins."""

    current: str = ""
    """Name of the record of the release that serves; empty where none does."""
    journal: Journal | None = None
    """What an earlier run has left unfinished."""


class StandingFact(FactBase[Standing]):
    """Which release serves on the host, and what is in progress there."""

    def command(self) -> StringCommand:
        return script(
            f'[ ! -L "$3/current" ] || echo "current $(readlink "$3/current")"\n{_READ}', JOURNAL, REQUEST, RELEASES
        )

    @staticmethod
    def default() -> Standing:
        return Standing()

    def process(self, output: list[str]) -> Standing:
        said = dict(line.partition(" ")[::2] for line in output)
        return Standing(said.get("current", "").removesuffix(".json"), _noted(output).journal)


def _noted(output: list[str]) -> Noted:
    said = dict(line.partition(" ")[::2] for line in output)
    word, _, by = said.get("request", "").partition(" ")
    return Noted(_journal(said.get("journal", "")), word if word in ("pause", "abort") else "", by)


def _journal(text: str) -> Journal | None:
    """None where there is none, and where somebody has made it unreadable."""
    try:
        found: dict[str, Any] = json.loads(text)
        return Journal(**{**found, "hosts": tuple(found["hosts"])})
    except (ValueError, TypeError, KeyError):
        return None


def write(remotes: Iterable[Remote], journal: Journal) -> None:
    """On every one of these hosts. Raises RemoteFailed."""
    told = f"{json.dumps(asdict(journal), sort_keys=True)}\n".encode()
    _all(remotes, lambda remote: remote.run(script(_WRITE, JOURNAL), stdin=told))


def strike(remotes: Iterable[Remote]) -> None:
    """Nothing is in progress any more, and nothing is asked. Raises RemoteFailed."""
    _all(remotes, lambda remote: remote.run(script('rm -f -- "$1" "$2"', JOURNAL, REQUEST)))


def give_up(remotes: Iterable[Remote]) -> None:
    """The same, and what the run was to bring is attempted no longer: what serves is what is to be. Raises
    RemoteFailed."""
    words = ('rm -f -- "$1" "$2" "$3"', JOURNAL, REQUEST, f"{RELEASES}/attempt")
    _all(remotes, lambda remote: remote.run(script(*words)))


def ask(remotes: Iterable[Remote], word: str, by: str) -> None:
    """Leaves a request for whoever rolls; an empty word takes it back. Raises RemoteFailed."""
    if word:
        command = script('mkdir -p -m 755 -- "${1%/*}"; printf "%s %s\\n" "$2" "$3" > "$1"', REQUEST, word, by)
    else:
        command = script('rm -f -- "$1"', REQUEST)
    _all(remotes, lambda remote: remote.run(command))


def read(remotes: Iterable[Remote]) -> Mapping[str, Noted]:
    """What each host has noted now, by name. Raises RemoteFailed."""
    listed = list(remotes)
    found = _all(listed, lambda remote: _noted(remote.run(script(_READ, JOURNAL, REQUEST))))
    return dict(zip([remote.name for remote in listed], found, strict=True))


def _all(remotes: Iterable[Remote], action: Any) -> list[Any]:
    jobs = [gevent.spawn(action, remote) for remote in remotes]
    gevent.joinall(jobs, raise_error=True)
    return [job.value for job in jobs]
