"""A certificate and its key, made for a test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta


def pair(days: int, now: datetime, names: Sequence[str] = ("a.test", "*.b.test")) -> tuple[str, str]:
    """A certificate and its key, valid since two days before `now` and for so many days from then."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
    alternatives = [x509.DNSName(each) for each in names]
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2)).not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False).sign(key, SHA256())
    )  # fmt: skip
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return own.public_bytes(Encoding.PEM).decode(), private.decode()
