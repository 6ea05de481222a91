"""Clusters the Debian way: created once, whole, with checksums; never a second, empty one beside the data."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.postgres import Cluster, ClustersFact, ServerFact, UnfinishedFact
from slipway.ops import files, units
from slipway.ops.postgres.psql import refuse, unknown
from slipway.report import note_change

CREATING = "/var/lib/slipway/creating"
"""Directory of marks: a cluster whose creation has begun and not ended."""


@operation()
def nothing_left_behind(cluster: Cluster) -> Generator[StringCommand]:
    """No other version's cluster of this name holds the data: a new, empty one beside it would be an outage."""
    clusters = host.get_fact(ClustersFact)
    others = [version for version, name in clusters if name == cluster.cluster and version != cluster.version]
    if not others or (cluster.version, cluster.cluster) in clusters:
        return
    note_change(f"cluster {cluster.cluster}", f"lives in PostgreSQL {others[0]}, {cluster.version} is asked for")
    yield refuse(
        f"the data of cluster {cluster.cluster!r} lives in PostgreSQL {others[0]}; {cluster.version} would start empty",
        f"keep it: postgres = {{'version': {others[0]}}} in group_data; or move it yourself first: "
        f"pg_upgradecluster {others[0]} {cluster.cluster}",
    )


_CREATE = """\
set -eu
version=$1 name=$2 data=$3 mark=$4 port=$5; shift 5
mkdir -p -- "${mark%/*}"
if [ -e "$mark" ] && [ ! -e "$data/postmaster.opts" ]; then
  # Begun by an earlier run and never started: nobody's data is in there.
  rm -rf -- "$data" "/etc/postgresql/$version/$name"
fi
: > "$mark"; sync -- "$mark"
pg_createcluster "$version" "$name" --datadir "$data" --port "$port" --start-conf auto -- "$@" >&2
rm -f -- "$mark"
"""


@operation()
def cluster(
    cluster: Cluster, port: int, locale: str = "C.UTF-8", encoding: str = "UTF8", checksums: bool = True
) -> Generator[StringCommand]:
    """The cluster, created where it is missing and not yet started. An existing one is left as it is.

    One whose creation was cut short is created anew; one that ever ran is never removed.
    """
    mark = f"{CREATING}/postgres-{cluster.version}-{cluster.cluster}"
    found = host.get_fact(UnfinishedFact, cluster=cluster, marker=mark)
    if found == "finished":
        return
    note_change(f"cluster {cluster.version}/{cluster.cluster}", "new" if found == "absent" else "creation is finished")
    initdb = ["--auth-local=peer", "--auth-host=scram-sha-256", f"--locale={locale}", f"--encoding={encoding}"]
    initdb += ["--data-checksums"] if checksums else []
    yield script(_CREATE, *cluster.words, mark, str(port), *initdb)


@operation()
def boot_file(path: str, content: str, owner: str = "root", group: str = "root") -> Generator[StringCommand]:
    """A file that decides how the cluster starts: systemd and its generators have read it afterwards."""
    name = path.strip("/").replace("/", "-")
    debts = [f"daemon-reload:{name}"]
    yield from files.put._inner(path, content, owner=owner, group=group, owes=debts)
    yield from units._daemon_reload(name, debts)


_CHECKSUMS = """\
set -eu
systemctl stop -- "$4"
trap 'systemctl start -- "$4"' EXIT
runuser -u postgres -- "/usr/lib/postgresql/$1/bin/pg_checksums" --enable -D "$3" >&2
"""


@operation()
def checksums(cluster: Cluster) -> Generator[StringCommand]:
    """Data checksums on an existing cluster. It stands still while every page is read and written once."""
    found = host.get_fact(ServerFact, cluster=cluster)
    if found.is_down:
        yield unknown("data checksums", cluster)
    elif found.said and not found.get("checksums"):
        note_change("data checksums", "off -> on, PostgreSQL is stopped while they are computed")
        yield script(_CHECKSUMS, *cluster.words, cluster.unit)
