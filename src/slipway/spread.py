"""How the replicas of a service spread over the hosts of its group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slipway.fleet import Member

if TYPE_CHECKING:
    from slipway.compose import Service


def replicas_on(service: Service, members: Sequence[Member]) -> dict[str, int]:
    """Host name to number of replicas there: evenly, the first hosts as written take the odd ones.

    `mode: global` is one on each host. A host that gets none stands in the result with 0.
    """
    if service.mode == "global":
        return {member.name: 1 for member in members}
    each, over = divmod(service.replicas or 0, len(members)) if members else (0, 0)
    return {member.name: each + (1 if position < over else 0) for position, member in enumerate(members)}
