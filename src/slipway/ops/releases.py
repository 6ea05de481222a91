"""The record of a release on a host: what serves here, who brought it, and what is kept to go back to."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.containers import DockerFact
from slipway.facts.files import script, with_input
from slipway.facts.releases import RELEASES, ReleaseRecords, ReleasesFact
from slipway.facts.secret_files import SECRETS
from slipway.release import Origin
from slipway.report import note_change

_WRITE = r"""
set -eu
dir=$1 id=$2 line=$3 secrets=$4 stack=$5; shift 5
umask 022
mkdir -p -- "$dir"
cat > "$dir/.$id.new"
[ -s "$dir/.$id.new" ]
sync -- "$dir/.$id.new"
mv -fT -- "$dir/.$id.new" "$dir/$id.json"
printf '%s\n' "$line" >> "$dir/log"
ln -sfn -- "$id.json" "$dir/.current.new"
mv -fT -- "$dir/.current.new" "$dir/current"
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


@operation()
def recorded(record: Mapping[str, Any], origin: Origin, keep: int) -> Generator[StringCommand]:
    """The release of `record` (its id, stack, images and what else decides it) is this host's current one.

    Written with who, when and from which commit, and noted in the log, only where it is not current already. `keep`
    releases stay, this one included; older records go, and the secrets that only they used.
    """
    found = host.get_fact(ReleasesFact)
    images = host.get_fact(DockerFact, stack=record["stack"])
    wanted = {**record, "image_ids": {ref: images.image_id(ref) for ref in record["images"]}}
    identity = str(record["id"])
    if found.current == identity and _is_same(found.records.get(identity, {}), wanted):
        return
    note_change("release", f"{found.current or 'none'} -> {identity}" if found.current != identity else "its record")
    when = datetime.now(UTC).isoformat(timespec="seconds")
    line = " ".join((when, identity, origin.who, origin.commit or "-"))
    told = json.dumps({**wanted, "when": when, "who": origin.who, "commit": origin.commit}, sort_keys=True)
    words = (RELEASES, identity, line, SECRETS, str(record["stack"]), *_outdated(found, identity, keep))
    yield with_input(script(_WRITE, *words), f"{told}\n".encode())


def _is_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return {key: value for key, value in found.items() if key not in ("when", "who", "commit")} == wanted


def _outdated(found: ReleaseRecords, identity: str, keep: int) -> list[str]:
    """Ids that are kept no longer; a record that the log does not know is older than any that it knows."""
    known = {each: position for position, each in enumerate(found.order)}
    others = sorted((each for each in found.records if each != identity), key=lambda each: known.get(each, -1))
    return others[: max(len(others) - (keep - 1), 0)]
