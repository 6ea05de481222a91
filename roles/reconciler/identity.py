"""Its own key: from one secret follow what lies on its host and what every host of the fleet lets in."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from roles.reconciler.data import GROUP, Reconciler
from slipway.context import Context
from slipway.problems import BadInput, Problem
from slipway.secrets import Secret


def public_key(name: str, key: Secret) -> str:
    """`type base64` of the private key in this secret, which is called `name`. Raises BadInput; never shows the key."""
    try:
        private = load_ssh_private_key(key.reveal().strip().encode() + b"\n", password=None)
        return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "make one: ssh-keygen -t ed25519 -N '' -C reconciler -f FILE; the secret is what FILE holds"
        what = f"the secret {name} is no private key in OpenSSH's format, or has a passphrase"
    raise BadInput([Problem("reconciler.key", what, hint)])


def authorized(data: Reconciler, ctx: Context) -> str:
    """The line of authorized_keys: from the reconcilers' addresses only, and for nothing but commands."""
    sources = data.sources or [member.address for member in ctx.fleet.group(GROUP)]
    return f'restrict,from="{",".join(sources)}" {public_key(data.key, ctx.secret(data.key))} reconciler'
