"""Certificates: their dates, their names, and whether the key is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from slipway.needs import Certificate
from slipway.preflight.findings import Finding
from slipway.preflight.subject import Subject

if TYPE_CHECKING:
    from cryptography import x509

WARN_DAYS = 14
"""Time enough to get a new one by hand."""
PLACE = "put it there, in PEM, its own certificate before those of who signed it"
RENEW = "get a new one and name it in `certificates` of the role nginx"


def certificates(host: Subject, now: datetime) -> Iterator[Finding]:
    """Every certificate that clients of this host will be shown."""
    found = [finding for each in host.needs.certificates for finding in _judge(host, each, now)]
    yield from found
    if host.needs.certificates and not found:
        yield host.fine("certificate", f"{len(host.needs.certificates)} valid for {WARN_DAYS} days and more")


def _judge(host: Subject, wanted: Certificate, now: datetime) -> Iterator[Finding]:
    chain = wanted.chain or host.facts.certificates.get(wanted.where, "")
    own = _own(chain)
    if own is None:
        what = "is not there" if not chain else "is no certificate in PEM"
        yield host.error("certificate", f"{wanted.where} {what}", PLACE)
        return
    yield from _dates(host, wanted.where, own, now)
    missing = [name for name in wanted.names if not _covers(_names(own), name)]
    if missing:
        what = f"{wanted.where} is not for {', '.join(missing)} but for {', '.join(sorted(_names(own))) or 'no name'}"
        yield host.error("certificate", what, RENEW)
    if wanted.key is not None and not _fits(own, wanted.key.reveal()):
        what = f"the key beside {wanted.where} does not belong to it"
        yield host.error("certificate", what, "give the key that its request was made with, in PEM, not encrypted")


def _own(chain: str) -> x509.Certificate | None:
    from cryptography import x509  # some tens of milliseconds that a run without certificates does not pay

    try:
        return x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError):
        return None


def _dates(host: Subject, where: str, own: x509.Certificate, now: datetime) -> Iterator[Finding]:
    begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
    if ends <= now:
        yield host.error("certificate", f"{where} has expired on {ends:%Y-%m-%d %H:%M} UTC", RENEW)
    elif begins > now:
        what = f"{where} is valid from {begins:%Y-%m-%d %H:%M} UTC only"
        yield host.error("certificate", what, "is this machine's clock right?")
    elif ends - now < timedelta(days=WARN_DAYS):
        what = f"{where} expires on {ends:%Y-%m-%d}, in {(ends - now).days} days"
        yield host.warning("certificate", what, RENEW)


def _names(own: x509.Certificate) -> set[str]:
    """DNS names and addresses of subjectAltName: what clients look at."""
    from cryptography import x509

    try:
        said = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))}


def _covers(names: set[str], wanted: str) -> bool:
    """A wildcard takes one label, and a wanted wildcard only that same wildcard."""
    return wanted in names or (not wanted.startswith("*") and f"*.{wanted.partition('.')[2]}" in names)


def _fits(own: x509.Certificate, key: str) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    def spelled(public: Any) -> bytes:
        told: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return told

    try:
        return spelled(load_pem_private_key(key.encode(), None).public_key()) == spelled(own.public_key())
    except (ValueError, TypeError):  # no key, or one under a passphrase
        return False
