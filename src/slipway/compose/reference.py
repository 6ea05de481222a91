"""The tables of `docs/compose.md`, made from the tables of keys and the fields' own docstrings.

`python -m slipway.compose.reference` writes all that follows the page's heading "Keys" anew; what stands above is
written by hand. A test says when the page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from slipway.compose.table import Table
from slipway.compose.tables import PARTS, Part
from slipway.reference import cell
from slipway.sentences import sentences

_HEADING = "\n## Keys\n"
_NOT_FIELDS = {
    ("top", "services"): "The services; those whose image is Postgres, Redis or Nginx go to the native roles.",
    ("top", "networks"): "Named networks, accepted: all services of a stack reach each other by name.",
    ("top", "x-slipway"): "What Compose has no word for, below.",
    ("service", "depends_on"): "Services that must be there first: a list, or a mapping with a condition.",
    ("service", "env_file"): "Files of NAME=value, beneath `environment`; later files over earlier ones.",
    ("service", "networks"): "Named networks, accepted: all services of a stack reach each other by name.",
    ("service", "container_name"): "Accepted with a note for one replica: containers are named by Slipway.",
    ("service", "restart"): "no, always, unless-stopped, on-failure or on-failure:N; unless-stopped where not given.",
    ("service", "deploy"): "Replicas, resources and how they are replaced, below.",
    ("service", "scale"): "The older word for `deploy.replicas`.",
    ("service", "cpus"): "The older word for `deploy.resources.limits.cpus`.",
    ("service", "mem_limit"): "The older word for `deploy.resources.limits.memory`.",
    ("service", "mem_reservation"): "The older word for `deploy.resources.reservations.memory`.",
    ("service", "pids_limit"): "The older word for `deploy.resources.limits.pids`.",
    ("stack extension", "migrate"): "What runs once for each release, before any service, below.",
    ("stack extension", "rollout"): "How a release goes through the hosts, below.",
    ("stack extension", "canary"): "The share of sessions that a new release gets first, below.",
    ("rollback_config", "failure_action"): "pause or continue: a rollback that fails is not rolled back.",
    ("deploy", "restart_policy"): "The Swarm form of `restart`, below.",
    ("deploy", "placement"): "Where replicas may run, below.",
    ("placement", "constraints"): "Only `node.labels.group == NAME`, which is `x-slipway.group`.",
    ("restart_policy", "condition"): "none, on-failure or any; any is unless-stopped.",
    ("mount", "bind"): "Options of a bind mount, below.",
    ("mount", "volume"): "Options of a named volume, below.",
    ("mount", "tmpfs"): "Options of a tmpfs, below.",
    ("dependency", "condition"): "service_started or service_healthy.",
    ("dependency", "required"): "false accepts that the service is not in the file.",
    ("env_file", "path"): "Path, starting at the Compose file.",
    ("env_file", "required"): "false accepts that the file does not exist.",
    ("env_file", "format"): "raw takes values as they are written, quotes and dollars too.",
    ("secret", "file"): "File of the controller, starting at the Compose file.",
    ("secret", "environment"): "Variable of the controller.",
    ("secret", "external"): "true takes it from the inventory's secret source.",
    ("secret", "name"): "Name in the secret source where it is another one than the key.",
    ("volume", "name"): "Name of the volume on the host; stack_key where not given.",
    ("volume", "driver"): "Only local.",
    ("network", "driver"): "bridge or overlay, accepted: the network is the engine's own.",
}


def reference(page: str) -> str:
    """The page with its tables made anew."""
    tables = "\n".join(line for part in PARTS for line in _section(part))
    return f"{page.partition(_HEADING)[0]}{_HEADING}\n{tables}"


def _section(part: Part) -> Iterator[str]:
    yield f"### {part.path}\n"
    if part.table.supported:
        yield "| Key | Default | What it says |\n| --- | --- | --- |"
        yield from (_row(part, name) for name in part.table.supported)
        yield ""
    yield from _refused(part.table)
    yield from _noted(part.table)


def _row(part: Part, name: str) -> str:
    described = _NOT_FIELDS.get((part.name, name))
    field = part.model.model_fields.get(part.table.supported[name].attribute)
    if field is None or described is not None:
        return f"| `{name}` | | {described or ''} |"
    said = sentences(part.model).get(part.table.supported[name].attribute, "")
    return f"| `{name}` | {_default(field)} | {cell(said)} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None or value == () or value == {} or not isinstance(value, (bool, int, float, str, tuple)):
        return ""
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else _number(value)
    return f"`{shown}`"


def _number(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refused(table: Table) -> Iterator[str]:
    if table.refused:
        yield "Refused by name:\n\n| Key | Why | Instead |\n| --- | --- | --- |"
        for name, refusal in table.refused.items():
            yield f"| `{name}` | {cell(refusal.why)} | {cell(refusal.instead)} |"
        yield ""


def _noted(table: Table) -> Iterator[str]:
    if table.noted:
        yield "Accepted with a note:\n\n| Key | Note |\n| --- | --- |"
        yield from (f"| `{name}` | {cell(note)} |" for name, note in table.noted.items())
        yield ""


def main() -> None:
    """Brings the page at the path given up to date, docs/compose.md where none is."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/compose.md")
    path.write_text(reference(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
