"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, so that a password itself never reaches a server or its log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode

from slipway.secrets import Secret

ITERATIONS = 4096
"""PostgreSQL's own `scram_iterations`: clients compute it at every login."""
SALT_BYTES = 16


def verifier(password: Secret, salt: str | None = None, iterations: int = ITERATIONS) -> Secret:
    """What `pg_authid.rolpassword` holds for this password. `salt` is base64; a new one is drawn where it is None."""
    salt = salt or b64encode(secrets.token_bytes(SALT_BYTES)).decode()
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password.reveal()), b64decode(salt), iterations)
    client, server = (hmac.digest(salted, label, "sha256") for label in (b"Client Key", b"Server Key"))
    stored = b64encode(hashlib.sha256(client).digest()).decode()
    return Secret(f"SCRAM-SHA-256${iterations}:{salt}${stored}:{b64encode(server).decode()}")


def is_of(password: Secret, salt: str, iterations: int, digest: str) -> bool:
    """Whether the stored verifier, known by salt, iterations and its own SHA-256 in hex, is that of this password."""
    expected = hashlib.sha256(verifier(password, salt, iterations).reveal().encode()).hexdigest()
    return hmac.compare_digest(expected, digest)


def _prepared(password: str) -> bytes:
    """The password as SASLprep (RFC 4013) makes it; as it is where that forbids it, which is what PostgreSQL does."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return (normal if normal and _is_allowed(normal) else password).encode()


_FORBIDDEN = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _is_allowed(text: str) -> bool:
    if any(table(character) for table in _FORBIDDEN for character in text):
        return False
    if not any(stringprep.in_table_d1(character) for character in text):
        return True
    ends_right = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends_right and not any(stringprep.in_table_d2(character) for character in text)
