"""Certificates of sites: from the controller, already on the host, or signed by the host itself."""

from __future__ import annotations

from roles.nginx.data import Certificate, Nginx, Site
from slipway.context import Context
from slipway.ops.tree import HERE, TreeFile
from slipway.paths import project_root
from slipway.problems import BadInput, Problem
from slipway.secrets import Secret

SELF_SIGNED = "/etc/nginx/slipway-self-signed"
"""Directory on the host of the certificates it signs itself: `<site>.pem`, key and certificate in one file."""


def certificate_paths(data: Nginx, site: Site) -> tuple[str, str]:
    """Where on the host the chain and the key of a site lie."""
    certificate = data.certificate_for(site)
    if certificate is None:
        return f"{SELF_SIGNED}/{site.name}.pem", f"{SELF_SIGNED}/{site.name}.pem"
    if certificate.host_certificate and certificate.host_key:
        return certificate.host_certificate, certificate.host_key
    return f"{HERE}/tls/{site.name}.crt", f"{HERE}/tls/{site.name}.key"


def self_signed_sites(data: Nginx) -> list[Site]:
    """Sites that no certificate covers."""
    return [site for site in data.all_sites if data.https_port and data.certificate_for(site) is None]


def certificate_files(data: Nginx, ctx: Context) -> dict[str, TreeFile]:
    """The files that come from the controller. Raises BadInput naming each one that cannot be read."""
    files = {}
    for site in data.all_sites:
        certificate = data.certificate_for(site)
        if data.https_port and certificate and certificate.certificate:
            files[f"tls/{site.name}.crt"] = TreeFile(_read(certificate.certificate))
            files[f"tls/{site.name}.key"] = TreeFile(_key(certificate, ctx), "600")
    return files


def _key(certificate: Certificate, ctx: Context) -> Secret:
    if certificate.key_secret:
        return ctx.secret(certificate.key_secret)
    return Secret(_read(certificate.key_file))


def _read(name: str) -> str:
    try:
        return (project_root() / name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # no UTF-8, or a path that no file can have
        hint = "give its path relative to the project, or absolute"
        reason = getattr(error, "strerror", None) or "is no text, or no path"
        raise BadInput([Problem("nginx: certificates", f"{name}: {reason}", hint)]) from None
