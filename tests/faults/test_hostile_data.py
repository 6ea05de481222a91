"""Hostile strings in every field of every role's data: refused in words that can be printed, or written literally."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway.context import Context
from slipway.fleet import NOMINAL, Fleet, Machine, Member
from slipway.problems import BadInput
from slipway.reconcile.settings import Reconcile
from slipway.role import Role, problems_of
from slipway.secrets import Secrets
from tests.conftest import WHOLE
from tests.faults.brought import Brought, Nobody
from tests.faults.hostile import HOSTILE, LONG, Place, places, rights, spoiled
from tests.faults.literal import shape_of, sql_shape
from tests.project import ROOT

pytestmark = pytest.mark.sweep

ROLES = {
    path.parent.name: import_module(f"roles.{path.parent.name}").role
    for path in sorted((ROOT / "roles").glob("*/__init__.py"))
}
PLACES = {name: list(places(role.data)) for name, role in ROLES.items()}

TRIES = 3000 if os.environ.get(WHOLE) else 40
"""Cases of each role that are rendered; each takes some milliseconds. What is refused is tried in full every time."""

MACHINES = (NOMINAL, Machine("debian", "12", "bookworm", "amd64", cpus=2, memory_mb=2048))

VERBATIM = {
    "nginx.*snippet*": "nginx's own language, judged by `nginx -t` before it goes live",
    "nginx.certificates.*": "a file of the controller, whose content is the user's own",
    "docker.repository_key": "a key's text has many lines",
    "docker.daemon_options*": "daemon.json's own structure",
    "base.users.*.sudo*": "sudo's own language, judged by visudo before it goes live",
    "redis.settings*": "several words of redis.conf, whatever their number",
}
"""Places whose value is a text in the language of the file it goes to: it stands there as it is, which is tried."""


@cache
def nobody() -> Nobody:
    return Nobody()


def context() -> Context:
    members = (Member("host", "10.0.0.21", ("all", "web")), Member("other", "10.0.0.22", ("web",)))
    secrets, reconcile = Secrets("test", lambda name: "v4lue-of-a-s3cret"), Reconcile(metrics="/srv/metrics")
    return Context(members[0], Fleet("test", members), secrets, reconcile=reconcile)


def brought(role: Role, data: Mapping[str, Any]) -> Brought:
    """What the role would do with this data. Raises ValidationError or BadInput."""
    ctx = context()
    wanted = role.wanted(data, ctx)
    return nobody().brought(lambda: role.tasks(wanted, ctx))


@cache
def harmless(role: str, place: Place) -> tuple[str, Brought]:
    """A value that is right in this place, and what it brings."""
    told: list[Exception] = []
    for value in rights(place.kind):
        try:
            return str(value), brought(ROLES[role], place.data(value))
        except (ValidationError, BadInput) as error:
            told.append(error)
    raise LookupError(f"{role}.{place.name}: no candidate of tests/faults/hostile.py is right: {told[-1]}")


def is_verbatim(role: str, place: Place) -> bool:
    return any(fnmatchcase(f"{role}.{place.name}", pattern) for pattern in VERBATIM)


def check_refusal(text: str) -> None:
    """A refusal can be printed: no control characters, and no megabyte."""
    assert text.strip()
    assert len(text) < 4000, f"{len(text)} characters"
    odd = {each for each in text if not each.isprintable()} - {"\n", "\t"}
    assert not odd, f"{sorted(odd)} in {text!r}"


def told_by(error: Exception, role: Role) -> str:
    if isinstance(error, ValidationError):
        return str(BadInput(problems_of(error, role.key, role.data)))
    return str(error)


@pytest.mark.tools
@pytest.mark.parametrize("role", ROLES)
def test_each_place_for_a_string_takes_something(role: str) -> None:
    """Every string field can be reached with a value that is right: what follows is refused for its hostility alone."""
    for place in PLACES[role]:
        assert harmless(role, place)


def tried(good: str) -> Iterator[str]:
    """Every hostile value; in a sampled run each alone only, which is a sixth of them."""
    if os.environ.get(WHOLE):
        yield from spoiled(good)
    else:
        yield from (*HOSTILE, f"fe80::1%{HOSTILE[0]}", LONG)


@pytest.mark.parametrize("role", ROLES)
def test_a_refusal_can_be_printed(role: str) -> None:
    """Whatever stands in a field, its refusal says where, has no control character in it, and is short."""
    count: Counter[str] = Counter()
    for place in PLACES[role]:
        for value in tried(str(next(rights(place.kind)))):
            try:
                ROLES[role].data.model_validate(place.data(value))
                count["taken"] += 1
            except ValidationError as error:
                count["refused"] += 1
                check_refusal(told_by(error, ROLES[role]))
    print(f"{role}: {len(PLACES[role])} places, {count.total()} values: {dict(count)}")
    assert count["refused"] > 0 or not PLACES[role]  # half a surrogate pair is a text nowhere


@pytest.mark.tools
@pytest.mark.parametrize("role", ROLES)
def test_what_is_taken_is_written_literally(role: str) -> None:
    """A hostile value that is taken changes nothing but a value: no file, line, statement or command more."""
    count: Counter[str] = Counter()

    @settings(max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(PLACES[role]), label="place")
        good, wanted = harmless(role, place)
        # An empty value often says that something is not wanted: then there is less of it.
        bad = data.draw(st.sampled_from([*filter(None, spoiled(good))]), label="value")
        try:
            found = brought(ROLES[role], place.data(bad))
        except (ValidationError, BadInput) as error:
            count["refused"] += 1
            check_refusal(told_by(error, ROLES[role]))
            return
        count["written"] += 1
        compare(wanted, found, good, bad, is_verbatim(role, place))

    try_one()
    print(f"{role}: {count.total()} cases: {dict(count)}")


def test_a_value_that_looks_like_a_mark_of_ours_stays_what_it_is() -> None:
    """A tree's own path stands in its files by a mark; a header that says the like is sent as it is."""
    site = {"name": "odd", "hosts": ["odd.test"]}
    data = {"self_signed": True, "listen": ["10.0.0.11"], "sites": [site], "security_headers": {"X-Odd": "@here@ here"}}
    found = brought(ROLES["nginx"], data)
    edge = next(text for path, text in found.files.items() if path.endswith("edge.conf"))
    assert '"" "@here@ here";' in edge
    assert "\0" not in "".join(found.files.values())


def compare(wanted: Brought, found: Brought, good: str, bad: str, verbatim: bool) -> None:
    """The two differ in nothing but this value."""
    assert [len(words) for words in found.commands] == [len(words) for words in wanted.commands] or verbatim
    for raw, words, harmless_words in zip(found.raw, found.commands, wanted.commands, strict=True):
        assert "\0" not in raw
        assert shlex.split(raw) == words, "a command's quoting does not hold"
        assert scripts_in(words) == scripts_in(harmless_words), "a value is in the text of a script"
    assert [sql_shape(text) for text in found.statements] == [sql_shape(text) for text in wanted.statements]
    assert len(found.files) == len(wanted.files), (sorted(found.files), sorted(wanted.files))
    if not verbatim:
        for path, before in pairs_of(set(found.files), set(wanted.files)):
            compare_shapes(shape_of(path, found.files[path]), shape_of(before, wanted.files[before]), good, bad)


def pairs_of(found: set[str], wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Each file with the one that it was; where a value is in a file's name, the two that are left over."""
    yield from ((path, path) for path in found & wanted)
    yield from zip(sorted(found - wanted), sorted(wanted - found), strict=True)


def scripts_in(words: list[str]) -> list[str]:
    """The texts that a shell runs."""
    return [
        text
        for shell, option, text in zip(words, words[1:], words[2:], strict=False)
        if (shell, option) == ("sh", "-c")
    ]


def compare_shapes(found: Any, wanted: Any, good: str, bad: str) -> None:
    """Equal, but for the value itself where a structure is made of names."""
    if isinstance(found, tuple) and isinstance(wanted, tuple):
        assert len(found) == len(wanted), f"{wanted} became {found}"
        for one, other in zip(found, wanted, strict=True):
            compare_shapes(one, other, good, bad)
        return
    is_name = isinstance(found, str) and isinstance(wanted, str) and (wanted in good or good in wanted)
    assert found == wanted or is_name, f"{wanted} became {found}"
