"""Certificates for the lab's edges: a certificate authority of the lab's own, and a server certificate from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from slipway.lab.layout import Layout
from slipway.lab.state import write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SERVER_NAMES = ("demo.lab.test", "*.lab.test")
"""`.test` can never be a real domain (RFC 6761)."""
_DAYS = 365


def ensure_certificates(lab: Layout) -> None:
    """Makes ca.crt, server.crt and server.key for SERVER_NAMES; nothing where they exist. The CA's key is not kept."""
    if (lab.tls / "server.crt").is_file():
        return
    from cryptography.hazmat.primitives.asymmetric import ec

    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(f"Slipway lab {lab.name}", ca_key, None, ca_key)
    server = _certificate(SERVER_NAMES[0], server_key, ca, ca_key)
    write_private(lab.tls / "ca.crt", _pem(ca))
    write_private(lab.tls / "server.key", _key_pem(server_key))
    write_private(lab.tls / "server.crt", _pem(server))


def _certificate(
    name: str, key: EllipticCurvePrivateKey, issuer: x509.Certificate | None, issuer_key: EllipticCurvePrivateKey
) -> x509.Certificate:
    """A certificate for `key`: a CA's where there is no issuer, else a server's for SERVER_NAMES."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer.subject if issuer else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # a host whose clock is a little behind takes it too
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension in _extensions(is_server=issuer is not None):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.KeyUsage))
    return builder.sign(issuer_key, SHA256())


def _extensions(*, is_server: bool) -> list[x509.ExtensionType]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(
        digital_signature=is_server, key_cert_sign=not is_server, crl_sign=not is_server, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in SERVER_NAMES])
    return [usage, names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])] if is_server else [usage]


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
