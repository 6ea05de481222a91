"""What the hosts themselves say: whether they are as wanted, and how many commands came in. Pure, with its scripts.

The contestants' own reports are not asked. Whoever looks comes in by the container engine, not through SSH.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jinja2 import Environment

from slipway.bench.resources import (
    OWN_PLACES,
    RESOURCES,
    SITE,
    Absent,
    Directory,
    File,
    Link,
    Packages,
    Resource,
    Template,
    User,
)

State = dict[str, str]
"""`path /etc/x`, `user ada` or `package sudo` to all that counts of it; what is not there is not in it."""

# One process for each question, not one for each path: every host is looked at after every run.
_LOOK = """\
users=$1 packages=$2; shift 2
stat --printf 'path\\t%n\\t%F\\t%a\\t%U\\t%G\\n' -- "$@" 2> /dev/null
sha256sum -- "$@" 2> /dev/null | sed 's/^/hash\\t/'
for path in "$@"; do [ ! -L "$path" ] || printf 'target\\t%s\\t%s\\n' "$path" "$(readlink -- "$path")"; done
getent passwd $users | sed 's/^/user\\t/'
for user in $users; do printf 'groups\\t%s\\t%s\\n' "$user" "$(id -Gn -- "$user" 2> /dev/null)"; done
dpkg-query --show --showformat 'package\\t${Package}\\t${db:Status-Status}\\n' $packages 2> /dev/null
printf 'sessions\\t%s\\n' "$(grep -c 'Starting session:' /var/log/sshd.log)"
"""

_WIPE = """\
set -eu
users=$1 count=$2; shift 2
for user in $users; do if id -- "$user" > /dev/null 2>&1; then userdel --remove -- "$user" 2> /dev/null; fi; done
while [ "$count" -gt 0 ]; do rm -rf -- "$1"; shift; count=$((count - 1)); done
rm -f -- "$@"
rm -rf /var/lib/slipway
"""

_BY_HAND = """\
set -eu
echo '# by hand' >> /etc/bench/sites/site01.conf
chmod 777 /srv/bench/shared
rm /srv/bench/current /etc/bench/limits.conf
echo stale > /etc/bench/old.conf
usermod --shell /bin/sh ada
"""

_ONE_FILE = "echo '# by hand' >> /etc/bench/sites/site07.conf\n"


class Look(NamedTuple):
    """A host as it is."""

    state: State
    sessions: int
    """Commands and subsystems that its sshd has started since it runs."""


def look_words(resources: Sequence[Resource] = RESOURCES) -> list[str]:
    """The command whose output `read_look` takes."""
    users, packages = " ".join(_users(resources)), " ".join(_packages(resources))
    return ["sh", "-c", _LOOK, "look", users, packages, *_paths(resources)]


def wipe_words(resources: Sequence[Resource] = RESOURCES) -> list[str]:
    """The command that makes a host one that nobody has deployed to."""
    single = [each.path for each in resources if isinstance(each, File | Template | Link | Absent)]
    users = " ".join(_users(resources))
    return ["sh", "-c", _WIPE, "wipe", users, str(len(OWN_PLACES)), *OWN_PLACES, *single]


def by_hand_words() -> list[str]:
    """The command that undoes some of each kind of thing."""
    return ["sh", "-c", _BY_HAND]


def one_file_words() -> list[str]:
    """The command that edits one file."""
    return ["sh", "-c", _ONE_FILE]


def wanted_state(host: str, resources: Sequence[Resource] = RESOURCES) -> State:
    """How a host has to be once everything is brought."""
    return dict(pair for each in resources for pair in _wanted(host, each))


def read_look(output: str) -> Look:
    """What `look_words` printed. Raises ValueError where it is cut short."""
    rows = [line.split("\t") for line in output.splitlines()]
    told = {kind: [row[1:] for row in rows if row[0] == kind] for kind in ("path", "hash", "target", "user", "groups")}
    extra = {row[0].partition("  ")[2]: row[0].partition("  ")[0] for row in told["hash"]}
    extra |= dict(told["target"])
    groups = {user: _groups(user, names.split()) for user, names in told["groups"]}
    state = {f"path {path}": _path(*rest, extra.get(path, "")) for path, *rest in told["path"]}
    for (line,) in told["user"]:
        name, _, uid, _, comment, home, shell = line.split(":")
        state[f"user {name}"] = _user(uid, comment, home, shell, groups[name])
    state |= {f"package {row[1]}": row[2] for row in rows if row[0] == "package"}
    sessions = [int(row[1]) for row in rows if row[0] == "sessions"]
    if not sessions:
        raise ValueError("the host's answer has no end")
    return Look(state, sessions[0])


def differences(host: str, found: State, resources: Sequence[Resource] = RESOURCES) -> list[str]:
    """What on a host is not as wanted, each with what was found; empty where all is."""
    wanted = wanted_state(host, resources)
    gone = [f"{subject}: is missing" for subject in wanted if subject not in found]
    other = [
        f"{subject}: {found[subject]}, wanted {wanted[subject]}"
        for subject in wanted
        if subject in found and found[subject] != wanted[subject]
    ]
    return [*gone, *other, *(f"{subject}: should not be there" for subject in found if subject not in wanted)]


def render_site(host: str, template: Template) -> str:
    """What a template comes to on a host."""
    return _JINJA.from_string(SITE).render(host_name=host, **template.variables)


_JINJA = Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - a configuration file, no page


def _wanted(host: str, each: Resource) -> Iterable[tuple[str, str]]:
    match each:
        case Directory():
            return [(f"path {each.path}", _path("directory", each.mode, each.owner, each.group))]
        case File() | Template():
            text = each.content if isinstance(each, File) else render_site(host, each)
            digest = hashlib.sha256(text.encode()).hexdigest()
            return [(f"path {each.path}", _path("regular file", each.mode, each.owner, each.group, digest))]
        case Link():
            return [(f"path {each.path}", _path("symbolic link", "777", "root", "root", each.target))]
        case User():
            return [
                (f"user {each.name}", _user(str(each.uid), each.comment, each.home, each.shell, sorted(each.groups)))
            ]
        case Packages():
            return [(f"package {name}", "installed") for name in each.names]
        case Absent():
            return []


def _path(*parts: str) -> str:
    """Kind, mode, owner, group and, of a file its hash, of a link its target."""
    return " ".join(part for part in parts if part)


def _user(uid: str, comment: str, home: str, shell: str, groups: list[str]) -> str:
    return f"{uid} {comment!r} {home} {shell} {','.join(groups)}"


def _groups(user: str, names: list[str]) -> list[str]:
    return sorted(name for name in names if name != user)


def _paths(resources: Sequence[Resource]) -> list[str]:
    return [each.path for each in resources if not isinstance(each, User | Packages)]


def _users(resources: Sequence[Resource]) -> list[str]:
    return [each.name for each in resources if isinstance(each, User)]


def _packages(resources: Sequence[Resource]) -> list[str]:
    return [name for each in resources if isinstance(each, Packages) for name in each.names]
