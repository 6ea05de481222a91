"""The record of a release on a host: staged before anything changes, current once it is proved, kept to go back to."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.containers import DockerFact
from slipway.facts.files import script, with_input
from slipway.facts.releases import RELEASES, ReleaseRecords, ReleasesFact
from slipway.facts.secret_files import SECRETS
from slipway.recorded import BY_TODAY
from slipway.release import Origin
from slipway.report import note_change
from slipway.who import now

DEPLOY, ROLLBACK = "deploy", "rollback"
"""What a run is that makes a release current, as the log says it."""

# A record holds the environment of containers: for root's eyes, like `docker inspect`.
_WRITE_RECORD = r"""
set -eu
dir=$1 id=$2; shift 2
mkdir -p -- "$dir"
umask 077
trap 'exit 129' HUP INT PIPE TERM
trap 'rm -f -- "$dir/.$id.new"' EXIT
cat > "$dir/.$id.new"
# A record is one line: without its end, its sender died on the way.
if [ ! -s "$dir/.$id.new" ] || [ -n "$(tail -c 1 -- "$dir/.$id.new")" ]; then
  echo "the record of release $id was cut short, and left as it was" >&2; exit 74
fi
sync -- "$dir/.$id.new"
mv -fT -- "$dir/.$id.new" "$dir/$id.json"
"""

_STAGE = f"""{_WRITE_RECORD}
printf '%s\\n' "$1" > "$dir/.attempt.new"
mv -fT -- "$dir/.attempt.new" "$dir/attempt"
"""

_MAKE_CURRENT = (
    _WRITE_RECORD
    + r"""
line=$1 secrets=$2 stack=$3; shift 3
printf '%s\n' "$line" >> "$dir/log"
ln -sfn -- "$id.json" "$dir/.current.new"
mv -fT -- "$dir/.current.new" "$dir/current"
rm -f -- "$dir/attempt"
for old in "$@"; do rm -f -- "$dir/$old.json"; done
# Secrets that no kept release has, and no container, are of no more use to anybody here.
mounted=
if command -v docker >/dev/null 2>&1; then
  mounted=$(docker ps --all --quiet --filter "label=slipway.stack=$stack" |
    xargs -r docker container inspect --format '{{range .Mounts}}{{.Source}} {{end}}')
fi
for path in "$secrets/$stack"-*/; do
  [ -d "$path" ] || continue
  name=${path%/}; name=${name##*/}
  case $mounted in *"/$name/"*) continue ;; esac
  grep --quiet --fixed-strings --no-messages -- "\"$name\"" "$dir"/*.json || rm -rf -- "$path"
done
"""
)


@operation()
def staged(record: Mapping[str, Any], origin: Origin, way: str = DEPLOY) -> Generator[StringCommand]:
    """The release of `record` is on this host's record before anything live changes, though not as the current one.

    Noted as what a run attempts. Nothing is done where it is current already. What it names is protected from pruning.
    """
    found = host.get_fact(ReleasesFact)
    identity = str(record["id"])
    kept = found.records.get(identity, {})
    if found.current == identity and _is_same(kept, record):
        return
    attempted = found.attempt is not None and (found.attempt.id, found.attempt.way) == (identity, way)
    if attempted and _is_same(kept, record):
        return
    note_change("release", f"{identity} staged")
    when = now()
    by = {key: kept[key] for key in ("when", "who", "commit", "image_ids") if key in kept and kept.get("when")}
    told = {**record, "staged": when, "who": origin.who, "commit": origin.commit, **by}
    line = " ".join((identity, way, when, origin.who))
    yield with_input(script(_STAGE, RELEASES, identity, line), _as_text(told))


@operation()
def recorded(record: Mapping[str, Any], origin: Origin, keep: int, way: str = DEPLOY) -> Generator[StringCommand]:
    """The release of `record` (its id, stack, images and what else decides it) is this host's current one.

    Written with who, when and from which commit, and noted in the log, only where it is not current already. `keep`
    releases stay, this one included; older ones go, and what was staged and never became current, and the secrets that
    only they used.
    """
    found = host.get_fact(ReleasesFact)
    images = host.get_fact(DockerFact, stack=record["stack"])
    wanted = {**record, "image_ids": {ref: images.image_id(ref) for ref in record["images"]}}
    identity = str(record["id"])
    kept = found.records.get(identity, {})
    is_whole = _is_same(kept, wanted) and kept.get("image_ids") == wanted["image_ids"] and bool(kept.get("when"))
    # What an attempt of before has left is no difference by itself; going back to what serves is to end it.
    is_left_over = way == ROLLBACK and found.attempt is not None
    if found.current == identity and is_whole and not is_left_over:
        return
    note_change("release", _what(found, identity))
    when = now()
    line = " ".join((when, identity, origin.who, origin.commit or "-", way))
    told = {**wanted, "when": when, "who": origin.who, "commit": origin.commit}
    words = (RELEASES, identity, line, SECRETS, str(record["stack"]), *_outdated(found, identity, keep))
    yield with_input(script(_MAKE_CURRENT, *words), _as_text(told))


def _what(found: ReleaseRecords, identity: str) -> str:
    if found.current != identity:
        return f"{found.current or 'none'} -> {identity}"
    return f"{found.attempt.id} is attempted no longer" if found.attempt else "its record"


def _is_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether they are the same release, whoever brought it here, and when."""
    return _itself(found) == _itself(wanted)


def _itself(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in BY_TODAY}


def _outdated(found: ReleaseRecords, identity: str, keep: int) -> list[str]:
    """Ids that are kept no longer; a record that the log does not know is older than any that it knows."""
    known = {each: position for position, each in enumerate(found.order)}
    served = found.records.keys() - found.never_current - {identity}
    others = sorted(sorted(served), key=lambda each: known.get(each, -1))
    return [*others[: max(len(others) - (keep - 1), 0)], *sorted(found.never_current - {identity})]


def _as_text(record: Mapping[str, Any]) -> bytes:
    """One line. In the order in which things are: that of a role's data may be the order of what is rendered of it."""
    return f"{json.dumps(record)}\n".encode()
