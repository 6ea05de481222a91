"""Hostile strings in place of every text of a Compose file: refused in words that can be printed, or kept literally."""

from __future__ import annotations

import copy
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from roles import app, nginx, postgres, redis
from roles.app.data import App
from roles.app.specs import secret_directory, specs_here
from slipway.compose import Stack, load
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.problems import BadInput
from slipway.release import release_of
from slipway.secrets import Secrets
from tests.conftest import WHOLE
from tests.faults.brought import Brought, Nobody
from tests.faults.hostile import HOSTILE, LONG, Place, places, spoiled
from tests.faults.test_hostile_data import check_refusal, compare

pytestmark = pytest.mark.sweep

FILE = Path(__file__).with_name("everything.yaml")
TREE = yaml.safe_load(FILE.read_text(encoding="utf-8"))

TRIES = 3000 if os.environ.get(WHOLE) else 30
"""Cases that are brought to a host; each takes some hundredths of a second. What is refused is tried more often."""

VERBATIM = {
    "services.db.command": "a command line: its words are Postgres's settings",
    "services.cache.command": "a command line: its words are Redis's settings",
    "services.db.environment.POSTGRES_INITDB_ARGS": "a command line: its words are initdb's",
    "services.api.x-slipway.edge.paths.0": "without a slash at its end, a path has an exact place besides",
    "services.api.x-slipway.edge.paths.1": "the same",
    "secrets.from_file.file": "the path of a file of the controller, whose content is the user's own",
    "services.api.secrets.1.target": "a path is a mount of its own, a name lies in /run/secrets",
    "services.worker.healthcheck.test": "a line for the container's own shell",
}
"""Places whose value is a text in a language of its own: how many words it has is the user's to say."""

NATIVE = (("services", "db"), ("services", "cache"))
"""Services whose keys are read for what they mean: one with another name is another setting, or none."""

DERIVED = ("directory", "notes.[]", "services.[].stack", "services.[].build.context")
"""What the model holds that the file has no text for."""

FOLDED = (
    "native.{}.data_directory",
    "native.{}.version",
    "native.{}.ports.[].host_ip",
    "native.{}.password.name",
    "native.{}.password.source",
    "services.[].expose.[].host_ip",
    "services.[].x.extensions.[]",
)
"""Read of what stands elsewhere in the file, and tried there."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack whose file is written anew for each case, with the files that it names beside it."""
    folder = tmp_path_factory.mktemp("stacks") / "everything"
    (folder / "source").mkdir(parents=True)
    (folder / "source/Dockerfile").write_text("FROM scratch AS final\n")
    (folder / "api.env").write_text("MORE=1\n")
    (folder / "token.txt").write_text("t0ken-of-a-file\n")
    return folder / "compose.yaml"


@cache
def nobody() -> Nobody:
    return Nobody("host", "other")


def read(path: Path, tree: Any) -> Stack:
    path.write_text(json.dumps(tree, indent=1), encoding="utf-8")  # which is YAML too, and quick to write
    return load(path, variables={}, secret_names=())


def context(stack: Stack) -> Context:
    members = (Member("host", "10.0.0.21", ("web",)), Member("other", "10.0.0.22", ("web",)))
    fleet, secrets = Fleet("test", members), Secrets("test", lambda name: "v4lue-of-a-s3cret")
    return Context(members[0], fleet, secrets, stack=stack, release=release_of(stack, fleet, secrets))


def brought(stack: Stack) -> Brought:
    """What every role that follows the file would do to a host that has them all. Raises what validation raises."""
    ctx = context(stack)
    own = {"nginx": {"self_signed": True}}
    wanted = [(role, role.wanted(own.get(role.name, {}), ctx)) for role in (nginx.role, postgres.role, redis.role)]
    for service, spec in specs_here(App(), ctx, stack):
        check_spec(spec)
        check_secrets(secret_directory(service, ctx, stack))

    def tasks() -> None:
        for role, data in wanted:
            role.tasks(data, ctx)
        for part in (app.migration, app.traffic, app.role, app.proof, app.record):
            part.tasks(App(), ctx)

    return nobody().brought(tasks)


def check_spec(spec: Any) -> None:
    """Docker reads each name and value apart again as they were meant."""
    for pairs, mark in ((spec.environment, "="), (spec.labels, "="), (spec.sysctls, "="), (spec.log_options, "="),
                        (spec.extra_hosts, ":"), (spec.ulimits, "=")):  # fmt: skip
        assert all(name and mark not in name for name in pairs), f"{pairs} is read otherwise"
    assert not spec.image.startswith("-")


def check_secrets(directory: Any) -> None:
    """Every file of a secret lies in its own directory."""
    for each in directory.files if directory else ():
        assert ".." not in Path(each.path).parts, f"{each.path} leads out"


def texts(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """The path of every text: values, and keys (True)."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(tree, dict):
            yield (*path, key), True
        if isinstance(value, (dict, list)):
            yield from texts(value, (*path, key))
        else:
            yield (*path, key), False


TEXTS = [(path, is_key) for path, is_key in texts(TREE) if not (is_key and str(path[-1]).startswith("x-"))]
"""A key that begins with x- is anybody's: with another name it is another's, who is not asked."""


def replaced(path: tuple[Any, ...], is_key: bool, text: str) -> Any:
    """The file with this text there. A key keeps its place."""
    tree = copy.deepcopy(TREE)
    here = tree
    for key in path[:-1]:
        here = here[key]
    if is_key:
        entries = {(text if key == path[-1] else key): value for key, value in here.items()}
        here.clear()
        here.update(entries)
    else:
        here[path[-1]] = text
    return tree


def good_at(path: tuple[Any, ...], is_key: bool) -> str:
    here = TREE
    for key in path if not is_key else path[:-1]:
        here = here[key]
    return str(path[-1] if is_key else here)


@cache
def harmless(path: Path) -> Brought:
    return brought(read(path, TREE))


def test_every_text_of_the_model_is_in_the_file(path: Path) -> None:
    """Each field of the model that holds a text has one in the file that is spoiled below."""
    stack = read(path, TREE)
    missing = [
        place.name
        for place in model_places(Stack)
        if place.name not in (*DERIVED, *FOLDED) and not has(stack, place.path)
    ]
    assert missing == []


def model_places(model: type[BaseModel]) -> Iterator[Place]:
    return (place for place in places(model) if "{key}" not in place.path)


def has(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a text stands somewhere at that place."""
    if not path:
        return isinstance(value, (str, Path)) and str(value) != ""
    if value is None:
        return False
    if path[0] == "[]":
        return any(has(each, path[1:]) for each in value) if isinstance(value, (list, tuple)) else False
    if path[0] == "{}":
        return any(has(each, path[1:]) for each in value.values())
    return has(getattr(value, path[0], None), path[1:])


@pytest.mark.tools
def test_a_refusal_can_be_printed(path: Path) -> None:
    """Whatever stands in the file, its refusal says where, has no control character in it, and is short."""
    count: Counter[str] = Counter()
    draw = random.Random(os.environ.get("SLIPWAY_TEST_SEED", "0"))  # noqa: S311 - a draw of lots, not a secret
    values = [*HOSTILE, LONG]
    for place, is_key in TEXTS:
        for bad in values if os.environ.get(WHOLE) else draw.sample(values, 3):
            try:
                read(path, replaced(place, is_key, bad))
                count["taken"] += 1
            except BadInput as error:
                count["refused"] += 1
                check_refusal(str(error))
    print(f"{len(TEXTS)} places, {count.total()} values: {dict(count)}")
    assert count["refused"] > count.total() / 4


@pytest.mark.tools
def test_what_is_taken_is_kept_literally(path: Path) -> None:
    """A hostile text that is taken changes nothing but itself: no argument, file, statement or directive more."""
    count: Counter[str] = Counter()
    wanted = harmless(path)

    @settings(max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        place, is_key = data.draw(st.sampled_from(TEXTS), label="place")
        good = good_at(place, is_key)
        bad = data.draw(st.sampled_from([*filter(None, spoiled(good))]), label="value")
        # What a shell would take for a variable is one to Compose as well: doubled, it is the text that it looks like.
        try:
            found = brought(read(path, replaced(place, is_key, bad.replace("$", "$$"))))
        except (ValidationError, BadInput) as error:
            count["refused"] += 1
            check_refusal(str(error))
            return
        count["kept"] += 1
        name = ".".join(map(str, place))
        if name in VERBATIM or (is_key and place[:2] in NATIVE):
            return
        compare(wanted, found, good, bad, verbatim=False)

    try_one()
    print(f"{count.total()} cases: {dict(count)}")
