"""What lies at a path: type, mode, owner, content hash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyinfra.api import FactBase, QuoteString, StringCommand

ABSENT = "absent"


@dataclass(frozen=True)
class PathState:
    """What is at a path. `kind` is file, directory, link, other or absent."""

    kind: str
    mode: str = ""
    """Octal without a leading zero, as `stat -c %a` prints it."""
    owner: str = ""
    group: str = ""
    sha256: str = ""
    """Of the content, for a file; empty otherwise."""
    target: str = ""
    """Where a link points to, unresolved."""

    @property
    def is_absent(self) -> bool:
        return self.kind == ABSENT


KINDS = {
    "regular file": "file",
    "regular empty file": "file",
    "directory": "directory",
    "symbolic link": "link",
}

_SCRIPT = """\
export LC_ALL=C  # stat says what kind it is in the host's language
p="$1"
if [ ! -e "$p" ] && [ ! -L "$p" ]; then echo absent; exit 0; fi
stat -c '%F|%a|%U|%G' -- "$p" || exit 1
if [ -L "$p" ]; then readlink -- "$p"; elif [ -f "$p" ]; then sha256sum < "$p"; fi
"""


ALL_AT_ONCE: dict[str, str] = {
    _SCRIPT: """\
export LC_ALL=C
end='
'
kinds=
for p do
  if [ -L "$p" ]; then kinds="$kinds link"
  elif [ ! -e "$p" ]; then kinds="$kinds absent"
  elif [ -f "$p" ]; then kinds="$kinds file"
  else kinds="$kinds other"; fi
done
stated() {
  for kind in $kinds; do p=$1; shift; [ "$kind" = absent ] || set -- "$@" "$p"; done
  [ $# -eq 0 ] || stat -c '%F|%a|%U|%G' -- "$@"
}
summed() {  # a large file must not keep the others waiting: then each is asked by itself
  for kind in $kinds; do p=$1; shift; [ "$kind" != file ] || set -- "$@" "$p"; done
  [ $# -eq 0 ] || timeout 5 sha256sum -- "$@"
}
states=$(stated "$@" 2> /dev/null) && sums=$(summed "$@" 2> /dev/null) || exit 1
for kind in $kinds; do
  p=$1; shift; code=0
  if [ "$kind" = absent ]; then echo absent; told 0; continue; fi
  printf '%s\\n' "${states%%"$end"*}"; states=${states#*"$end"}
  case $kind in
    link) readlink -- "$p" || code=$? ;;
    file) sum=${sums%%"$end"*}; sums=${sums#*"$end"}; sum=${sum#\\\\}; printf '%s  -\\n' "${sum%% *}" ;;
  esac
  told "$code"
done
""",
}
"""A script to one that answers for many at once.

Such a script has the parameters of each question one after the other, says for each what the other would say, with
`told CODE` behind it; or ends with another code than 0 before it has told any, where it cannot answer for all of them.
"""


def script(text: str, *arguments: str) -> StringCommand:
    """A shell script with its arguments as positional parameters: the one door through which values reach a shell."""
    return StringCommand("sh", "-c", QuoteString(text), "slipway", *(QuoteString(argument) for argument in arguments))


def with_input(command: StringCommand, stdin: bytes | Iterable[bytes], seconds: int | None = None) -> StringCommand:
    """The same command with this on its standard input, byte for byte: how content and secrets reach a host.

    + seconds: its time limit, where it needs more than others
    """
    limit: Any = {"_timeout": seconds} if seconds else {}
    return StringCommand(*command.bits, _stdin=stdin, **limit)  # type: ignore[arg-type]  # the seam takes bytes


class PathFact(FactBase[PathState]):
    """State of one path."""

    is_local = True

    def command(self, path: str) -> StringCommand:
        return script(_SCRIPT, path)

    @staticmethod
    def default() -> PathState:
        return PathState(ABSENT)

    def process(self, output: list[str]) -> PathState:
        if output[0] == ABSENT:
            return PathState(ABSENT)
        kind, mode, owner, group = output[0].rsplit("|", 3)
        rest = "\n".join(output[1:])
        known = KINDS.get(kind, "other")
        digest = rest.split()[0] if known == "file" and rest else ""
        return PathState(known, mode, owner, group, digest, rest if known == "link" else "")


class Content(FactBase[str]):
    """Text of a file, for a diff; empty where it is absent. Bytes that are not UTF-8 are replaced."""

    is_local = True

    def command(self, path: str) -> StringCommand:
        # A file worth a diff is small; the rest of a large one would only fill the screen.
        return script('[ -f "$1" ] && head -c 262144 -- "$1" || true', path)

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return "\n".join(output) + "\n"


class Markers(FactBase[frozenset[str]]):
    """Names of the files in a directory; empty where it is absent."""

    is_local = True

    def command(self, directory: str) -> StringCommand:
        return script('[ -d "$1" ] && ls -1 -- "$1" || true', directory)

    @staticmethod
    def default() -> frozenset[str]:
        return frozenset()

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(line for line in output if line)
