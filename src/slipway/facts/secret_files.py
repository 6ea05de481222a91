"""The secrets of a stack as they lie on a host: who may read each, and whether it is the right one, not what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

SECRETS = "/var/lib/slipway/secrets"
"""Directory, 0700 root, of the secrets that containers get as files."""

_SALT = "slipway secret file\n"

_SCRIPT = """\
cd -- "$1" 2>/dev/null || exit 0
stat -c '%a:%u:%g . -' .
for directory in "$2"-*/; do
  [ -d "$directory" ] || continue
  find "$directory" -type d -printf '%m:%U:%G %p -\\n'
  find "$directory" -type f -print | while IFS= read -r path; do
    sum=$({ printf '%s' "$3"; cat -- "$path"; } | sha256sum)
    echo "$(stat -c '%a:%u:%g' -- "$path") $path ${sum%% *}"
  done
done
"""


def salted_sum(content: str) -> str:
    """What the fact says of a file with this content: a hash that is found in no table."""
    return hashlib.sha256((_SALT + content).encode()).hexdigest()


class SecretFilesFact(FactBase[Mapping[str, str]]):
    """Path below SECRETS to `mode:uid:gid sum` of each file of a stack, `mode:uid:gid -` of each directory."""

    def command(self, stack: str) -> StringCommand:
        return script(_SCRIPT, SECRETS, stack, _SALT)

    @staticmethod
    def default() -> Mapping[str, str]:
        return {}

    def process(self, output: list[str]) -> Mapping[str, str]:
        rows = (line.split(" ", 1) for line in output)
        split = ((who, *rest.rsplit(" ", 1)) for who, rest in rows)
        return {path.rstrip("/"): f"{who} {said}" for who, path, said in split}
