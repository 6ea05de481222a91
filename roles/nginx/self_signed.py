"""Certificates that a host signs itself: for the first boot and the lab, until real ones are given."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation

from slipway.facts.files import script
from slipway.ops.files import OWED
from slipway.report import note_change

RENEW_DAYS = 30
"""A certificate with less than this left is signed anew."""
VALID_DAYS = 397
"""The longest that browsers accept of a certificate."""

_LOOK = """\
[ -s "$1" ] && command -v openssl > /dev/null || exit 0
said=$(openssl x509 -in "$1" -noout -ext subjectAltName -checkend "$(($2 * 86400))") || exit 0
openssl pkey -in "$1" -noout 2> /dev/null || exit 0
stat -c '%a:%u:%g' -- "$1"
printf '%s\\n' "$said" | sed -n '/^ /{s/ //gp;q}'
"""

_SIGN = """\
set -eu
path=$1 days=$2 subject=$3 names=$4 owes=$5 debts=$6
umask 077
mkdir -p -m 700 -- "${path%/*}"
trap 'exit 129' HUP INT PIPE TERM
new=$(mktemp -- "${path%/*}/.slipway.XXXXXXXX"); chain=$(mktemp -- "${path%/*}/.slipway.XXXXXXXX")
trap 'rm -f -- "$new" "$chain"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" \\
  -subj "$subject" -addext "subjectAltName=$names" -keyout "$new" -out "$chain" 2> /dev/null
cat "$chain" >> "$new"
for debt in $owes; do mkdir -p -- "$debts"; : > "$debts/$debt"; done
sync -- "$new"
mv -fT -- "$new" "$path"
"""


@dataclass(frozen=True)
class SelfSigned:
    """What is there; empty where it is absent, unreadable or about to run out."""

    access: str = ""
    """`mode:user:group`, in numbers."""
    names: str = ""
    """As OpenSSL prints them: `DNS:a,DNS:b`."""


class SelfSignedFact(FactBase[SelfSigned]):
    """The self-signed certificate at a path."""

    def command(self, path: str) -> StringCommand:
        return script(_LOOK, path, str(RENEW_DAYS))

    @staticmethod
    def default() -> SelfSigned:
        return SelfSigned()

    def process(self, output: list[str]) -> SelfSigned:
        return SelfSigned(*output[:2]) if len(output) >= 2 else SelfSigned()


@operation()
def self_signed(path: str, hosts: Sequence[str], owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """Key and certificate for these names in one file, mode 600, swapped in one step; renewed before it runs out."""
    names = ",".join(f"DNS:{name}" for name in hosts)
    if host.get_fact(SelfSignedFact, path=path) == SelfSigned("600:0:0", names):
        host.noop(f"{path} is as wanted")
        return
    note_change(path, f"self-signed certificate for {', '.join(hosts)}")
    # A common name holds 64 characters at most; who checks a name reads subjectAltName.
    yield script(_SIGN, path, str(VALID_DAYS), "/CN=Slipway self-signed", names, " ".join(owes), OWED)
