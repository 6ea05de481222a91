"""The passwords that Redis checks. It takes any number for each user, so that one is rotated by its native means."""

from __future__ import annotations

from collections.abc import Iterator

from roles.redis.data import Redis
from roles.redis.derive import is_of_the_source
from slipway.context import Context
from slipway.facts.files import script
from slipway.facts.redis import OLDER_SESSIONS
from slipway.remote import Remote
from slipway.role import Password
from slipway.secrets import Versions


def passwords(data: Redis, ctx: Context) -> list[Password]:
    """Of the user `default` and of the others, as far as they come from the inventory's source."""
    return [_password(user, secret) for user, secret in _users(data) if is_of_the_source(secret, ctx)]


def _users(data: Redis) -> Iterator[tuple[str, str]]:
    if data.password:
        yield "default", data.password
    for user in data.users:
        yield user.name, user.password


def _password(user: str, secret: str) -> Password:
    def sessions(remote: Remote, versions: Versions, seconds: float) -> list[str]:
        # Which password a session logged in with Redis does not tell. One that is older than the present version's use
        # had no other than the one before.
        return remote.run(script(OLDER_SESSIONS, user, f"{max(seconds, 0):.0f}"))

    return Password(secret, sessions)
