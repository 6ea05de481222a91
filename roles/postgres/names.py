"""Types of the fields: what PostgreSQL can hold, told before it is asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from slipway.sql import IDENTIFIER_BYTES


def _name(name: str) -> str:
    if not name or len(name.encode()) > IDENTIFIER_BYTES:
        raise ValueError(f"a PostgreSQL name has 1 to {IDENTIFIER_BYTES} bytes; shorten it")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError("a control character has no place in a name; remove it")
    if name[0] in "/+@":
        raise ValueError(f"pg_hba.conf would not take a name that begins with {name[0]!r} as a name; choose another")
    return name


def _role(name: str) -> str:
    if name.startswith("pg_") or name in ("public", "none"):
        raise ValueError("PostgreSQL keeps this role name for itself; choose another")
    return name


def _database(name: str) -> str:
    if name in ("template0", "template1"):
        raise ValueError(f"{name} is PostgreSQL's own; choose another")
    return name


def one_line(text: str) -> str:
    """The text, which has no control character in it. Raises ValueError."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("a value stands in one line, without control characters")
    return text


Line = Annotated[str, AfterValidator(one_line)]
"""A value in one line."""
HostPath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._@+-]+)+$")]
"""A path on the host."""
Locale = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]+$")]
Encoding = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Name = Annotated[str, AfterValidator(_name)]
"""Any identifier that fits: a schema, a table, a group."""
RoleName = Annotated[Name, AfterValidator(_role)]
DatabaseName = Annotated[Name, AfterValidator(_database)]
SettingName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")]
"""A setting of the server; one of an extension has its prefix and a dot."""
Port = Annotated[int, Field(ge=1, le=65535)]
