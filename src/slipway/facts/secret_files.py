"""The secrets of a stack as they lie on a host: who may read each, and whether it is the right one, not what it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

SECRETS = "/var/lib/slipway/secrets"
"""Directory, 0700 root, of the secrets that containers get as files."""

# Two programs for all the files of a stack: `find` says whose each is, `b2sum` what is in it.
_SCRIPT = """\
cd -- "$1" 2>/dev/null || exit 0
stat -c '%a:%u:%g . -' .
for directory in "$2"-*/; do
  [ ! -d "$directory" ] || set -- "$@" "$directory"
done
shift 2
[ $# -gt 0 ] || exit 0
find "$@" -type d -printf '%m:%U:%G %p -\\n' -o -type f -printf '%m:%U:%G %p\\n' -exec b2sum --length=256 -- {} +
"""


_SUM = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<path>.+)")


def digest(content: str) -> str:
    """What the fact says of a file with this content: BLAKE2b, 256 bits, of which nobody keeps tables of passwords."""
    return hashlib.blake2b(content.encode(), digest_size=32).hexdigest()


class SecretFilesFact(FactBase[Mapping[str, str]]):
    """Path below SECRETS to `mode:uid:gid sum` of each file of a stack, `mode:uid:gid -` of each directory."""

    is_local = True

    def command(self, stack: str) -> StringCommand:
        return script(_SCRIPT, SECRETS, stack)

    @staticmethod
    def default() -> Mapping[str, str]:
        return {}

    def process(self, output: list[str]) -> Mapping[str, str]:
        matched = [(line, _SUM.match(line)) for line in output]
        sums = {found["path"]: found["sum"] for _, found in matched if found}
        rows = [line.split(" ", 1) for line, found in matched if not found]
        directories = {rest[:-2].rstrip("/"): f"{who} -" for who, rest in rows if rest.endswith(" -")}
        files = {path: f"{who} {sums.get(path, '')}" for who, path in rows if not path.endswith(" -")}
        return directories | files
