"""Between a run and what is on record: what it leaves there, and what it takes from there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python
from pyinfra.api.host import Host

from slipway.context import Context
from slipway.engine.run import Run, declared_data
from slipway.role import Role, RoleData

if TYPE_CHECKING:
    from slipway.recorded import Entry


def entry_of(run: Run) -> Entry | None:
    """What a run that has been declared leaves on record; None without an application."""
    if run.stack is None or run.release is None:
        return None
    if run.recalled:
        return run.recalled.entry()
    from slipway.recorded import entry  # an inventory without an application does not pay for it

    roles = {host.name: _roles_on(run, host) for host in run.state.inventory}
    return entry(run.release, run.stack, roles, run.templates.texts())


def _roles_on(run: Run, host: Host) -> dict[str, Any]:
    """Role to its data, and which fields of that nobody declared: they follow from the Compose file and the fleet."""
    ctx = run.context(host)
    return {
        role.key: {
            "data": data.model_dump(mode="json"),
            "derived": sorted(set(role.derive(ctx)) - set(declared_data(host, role.key))),
        }
        for role, data in run.applied.get(host.name, [])
    }


def wanted(run: Run, role: Role, host: Host, ctx: Context) -> RoleData:
    """A role's data for one host: as it is declared, or as it is on record. Raises ValidationError.

    Of a record, fields that followed from the Compose file and the fleet follow from them again: from the Compose file
    that is on record, and today's fleet. What is declared is what a host or role gets that the record does not know,
    and a role that is always today's.
    """
    kept = run.recalled.roles_on(host.name).get(role.key) if run.recalled and not role.of_today else None
    if kept is None:
        return role.wanted(declared_data(host, role.key), ctx)
    data, derived = kept["data"], kept["derived"]
    again = {key: value for key, value in role.derive(ctx).items() if key in derived or key not in data}
    return role.data.model_validate_json(json.dumps({**data, **to_jsonable_python(again)}))
