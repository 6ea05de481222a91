"""The Docker engine: a changed configuration reaches the running process, by the mildest means that does it."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.disruption import Disruption, disrupts
from slipway.facts.docker_engine import EngineFact
from slipway.facts.files import Markers, script
from slipway.ops import files
from slipway.report import note_change

PATH = "/etc/docker/daemon.json"
UNIT = "docker.service"
DRAIN_SECONDS, LONG_DRAIN_SECONDS = 2, 60
"""How long requests under way may finish before a restart that containers survive, and before one that they do not."""
RELOAD, RESTART = f"reload:{UNIT}", f"restart:{UNIT}"

CHECK = (
    "sh", "-c",
    """\
help=$(dockerd --help) || exit 1
case $help in *--validate*) exec dockerd --validate --config-file "$1" ;; esac
# Debian 12's engine cannot check a file. Every option it knows has a flag of that name, or of its singular.
grep -oE '^  "[a-z][a-z0-9-]*"' "$1" | tr -d ' "' | while read -r option; do
  case $option in features | builder | runtimes | default-ulimits | dns-search) continue ;; esac
  for flag in "$option" "${option%s}" "${option%ies}y"; do
    printf '%s\\n' "$help" | grep -qE -- "--$flag( |$)" && continue 2
  done
  echo "this engine ($(dockerd --version)) knows no option \\"$option\\""; exit 1
done
""",
    "slipway", files.CANDIDATE,
)  # fmt: skip
"""Words that have the engine itself check a daemon.json."""


@operation()
def configured(options: Mapping[str, Any]) -> Generator[StringCommand]:
    """daemon.json holds these options and no others, accepted by the engine; its reload is written down as owed."""
    content = json.dumps(options, indent=2, sort_keys=True) + "\n"
    yield from [
        *files.directory._inner("/etc/docker"),
        *files.put._inner(PATH, content, check=CHECK, owes=[RELOAD]),
    ]


_SETTLE = """\
set -eu
unit=docker.service action=$1 survive=$2 debts=$3
systemctl reload -- "$unit"
if [ "$action" = restart ]; then
  # An engine that did not keep containers over a restart so far has to know of it first, or this restart stops them.
  tries=0
  until [ "$survive" = no ] || [ "$(docker info --format '{{.LiveRestoreEnabled}}')" = true ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge 50 ]; then
      echo 'docker was not restarted: it does not take over live-restore, so that containers would stop' >&2; exit 1
    fi
    sleep 0.2  # ten seconds in all; taking over a reload takes it milliseconds
  done
  # Docker's unit allows three starts a minute; this one is wanted, however many there were.
  systemctl reset-failed -- "$unit" docker.socket
  systemctl restart -- "$unit"
fi
systemctl is-active --quiet -- "$unit"
docker version --format '{{.Server.Version}}' > /dev/null
rm -f -- "$debts/reload:$unit" "$debts/restart:$unit"
"""


@operation()
def settled(options: Mapping[str, Any], targets: Sequence[str] = ()) -> Generator[StringCommand]:
    """The running engine works by these options: by a reload where that is enough, else by a restart.

    + targets: where requests for its containers come in; they go elsewhere while the engine restarts

    What it was started with is compared with what is wanted, so that a restart that a dead run owed is not lost. With
    `live-restore` containers run on meanwhile. Fails, before it restarts, where they would not.
    """
    found = host.get_fact(EngineFact)
    owed = host.get_fact(Markers, directory=files.OWED)
    options_for = found.restart_for(dict(options))
    started_unknown = found.is_running and found.started_with is None and RELOAD in owed
    if options_for or started_unknown or (found.is_running and RESTART in owed):
        note_change(UNIT, f"restart for {', '.join(options_for) or 'what changed before'}", is_owed=True)
        survive = "yes" if options.get("live-restore") else "no"
        # Containers that run on keep what they have open; it is only new connections that might find no way in.
        drain = DRAIN_SECONDS if survive == "yes" else LONG_DRAIN_SECONDS
        disrupts(Disruption("restart docker", drain=tuple(targets), drain_seconds=drain, seconds=120))
        yield script(_SETTLE, "restart", survive, files.OWED)
    elif found.is_running and RELOAD in owed:
        note_change(UNIT, "reload", is_owed=True)
        yield script(_SETTLE, "reload", "no", files.OWED)
