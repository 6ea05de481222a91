"""Whether the fleet can bear it that a host is changed now: asked of all hosts at that moment, not at the start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import gevent

from roles.app.specs import services_here
from slipway.compose import NativeService, Service, Stack
from slipway.context import Context
from slipway.facts.containers import DockerFact, DockerState
from slipway.facts.files import script
from slipway.remote import Remote
from slipway.rollout import Load
from slipway.spread import replicas_on

DISK_FLOOR_MB = 256
"""Free space below which Docker's own files, logs and the containers' writable layers have no room to begin with."""

_ROOM = """\
echo "memory $(sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)"
echo "disk $(df --output=avail -k -- /var/lib/docker 2>/dev/null | tail -n 1)"
for at in "$@"; do
  # The listening socket and its process, as ss has them: the port of an address, or of every address.
  ss -Hltnp "( sport = :${at##*:} )" | while read -r line; do
    set -- $line
    case $4 in "${at%:*}:"* | "0.0.0.0:"* | "*:"* | "[::]:"*) echo "taken $at $line" ;; esac
  done
done
"""

_CONNECTIONS = """\
cd / && runuser -u postgres -- psql -XAtqw -p "$1" -c "select current_setting('max_connections')::int \\
 - current_setting('superuser_reserved_connections')::int \\
 - (select count(*) from pg_stat_activity where backend_type = 'client backend')" -c "select client_addr, count(*) \\
 from pg_stat_activity where backend_type = 'client backend' and client_addr is not null group by 1"
"""


def gate(remotes: Mapping[str, Remote], host: str, load: Load, ctx: Context) -> list[str]:
    """Why this host may not be changed now; empty where it may. Raises RemoteFailed where it could not be told."""
    if ctx.stack is None:
        return []
    complaints = [*_room(remotes[host], load)]
    if load.takes:
        complaints += _left(remotes, load, ctx, ctx.stack)
    if load.adds_replicas:
        complaints += _connections(remotes, load, ctx, ctx.stack)
    return complaints


def _left(remotes: Mapping[str, Remote], load: Load, ctx: Context, stack: Stack) -> Iterator[str]:
    """Services of which too few healthy replicas would be left."""
    hosts = {member.name for service in stack.services for member in ctx.fleet.group(service.x.group)}
    asked = {name: gevent.spawn(remotes[name].fact, DockerFact, stack=stack.name) for name in hosts & set(remotes)}
    gevent.joinall(list(asked.values()), raise_error=True)
    states = {name: job.value for name, job in asked.items()}
    for name, taken in load.takes.items():
        service = next((each for each in stack.services if each.name == name), None)
        if service is None:
            continue  # it has left the stack
        total = sum(replicas_on(service, ctx.fleet.group(service.x.group)).values())
        well = sum(_well(service, state) for state in states.values())
        if (left := max(well - taken, 0)) < (needed := _needed(service, total, stack)):
            away = sorted(hosts - set(remotes))
            missing = f" (not reached: {', '.join(away)})" if away else ""
            yield (f"  {name}: {well} of {total} replicas are healthy{missing}; without {taken} of them {left} would "
                   f"be left, and {needed} must be (x-slipway.rollout.min_healthy)")  # fmt: skip


def _well(service: Service, state: DockerState) -> int:
    """Healthy replicas on one host, seen ready; one and its successor beside it are one."""
    mine = [found for name, found in state.containers.items() if name not in state.unproven]
    return len({found.replica for found in mine if found.service == service.name and found.is_well})


def _needed(service: Service, total: int, stack: Stack) -> int:
    """How many have to be left. The only replica may go: there is nobody else."""
    if total <= 1 or service.x.singleton:
        return 0
    return max(1, math.floor(total * stack.rollout.min_healthy))


def _room(remote: Remote, load: Load) -> Iterator[str]:
    said = [line.split(maxsplit=2) for line in remote.run(script(_ROOM, *load.needs_ports))]
    room = {words[0]: int(words[1]) // 1024 for words in said if words[0] != "taken" and len(words) > 1}
    needed = load.adds_memory // (1 << 20)
    if needed and room.get("memory", needed) < needed:
        yield f"  memory: {room['memory']} MiB are free, old and new together need {needed} MiB more (reservations)"
    if room.get("disk", DISK_FLOOR_MB) < DISK_FLOOR_MB:
        yield f"  disk: {room['disk']} MiB are free in /var/lib/docker, {DISK_FLOOR_MB} MiB must be: slipway-prune 0"
    for _, at, line in (words for words in said if words[0] == "taken"):
        yield f"  port {at} is taken: {line.split('users:')[-1].strip('() ') if 'users:' in line else 'by a process'}"


def _connections(remotes: Mapping[str, Remote], load: Load, ctx: Context, stack: Stack) -> Iterator[str]:
    """Databases without room for old and new together, at what each replica takes now."""
    for native in stack.native.values():
        for member in ctx.fleet.group(native.group) if native.kind == "postgres" else ():
            if member.name in remotes:
                yield from _connections_at(remotes[member.name], native, load, ctx, stack)


def _connections_at(remote: Remote, native: NativeService, load: Load, ctx: Context, stack: Stack) -> Iterator[str]:
    said = remote.run(script(_CONNECTIONS, str(native.port or 5432)))
    free = int(said[0])
    mine = dict(line.split("|") for line in said[1:]).get(ctx.host.address, "0")
    here = sum(count for _, count in services_here(ctx, stack)) or 1
    needed = math.ceil(int(mine) / here * sum(load.adds_replicas.values()))
    if needed > free:
        yield f"  {native.name}: {free} connections are free, old and new together need about {needed} more"
