"""The reference and the house rules that a machine can check: on every role that there is, new ones too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from slipway.reference import models_of, reference, roles
from slipway.role import Role
from slipway.sentences import sentences

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "roles.md"
SOURCES = sorted((ROOT / "roles").glob("*/*.py"))
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())
ROLES = roles()

UNDONE = re.compile(r"Managed by Slipway: hand edits are undone by the next run\.")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_reference_is_current() -> None:
    """docs/roles.md says what the data classes say; `python -m slipway.reference` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == reference(page, ROLES)


def test_every_role_is_in_the_reference() -> None:
    """A role that has data has its section."""
    page = PAGE.read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "roles").glob("*/data.py")}
    assert folders == {role.key for role in ROLES}
    assert [role.key for role in ROLES if f"\n### {role.key}\n" not in page] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_field_has_its_sentence(role: Role) -> None:
    """Every field of the role's data and of what it holds is explained; so is each class."""
    found = models_of(role)
    bare = [f"{m.__name__}.{name}" for m in found for name in m.model_fields if not sentences(m).get(name)]
    assert bare == []
    assert [model.__name__ for model in found if not model.__doc__] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_data_is_strict_frozen_and_closed_all_the_way_down(role: Role) -> None:
    """The string "no" is no boolean and a mistyped key is refused, in nested data as well."""
    for model in models_of(role):
        config = model.model_config
        assert (config.get("strict"), config.get("frozen"), config.get("extra")) == (True, True, "forbid"), model


def test_every_link_of_the_reference_leads_to_a_heading() -> None:
    """The types that are links are those of sections on the page."""
    page = PAGE.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", title).lower() for title in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) - anchors == set()


def operation_calls(source: Path) -> Iterator[ast.Call]:
    """Every call of an operation in a role's module, found by what the name stands for there."""
    module = import_module(".".join(source.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and hasattr(stands_for(module, node.func), "_inner"):
            yield node


def stands_for(module: Any, name: ast.expr) -> Any:
    if isinstance(name, ast.Name):
        return getattr(module, name.id, None)
    return getattr(stands_for(module, name.value), name.attr, None) if isinstance(name, ast.Attribute) else None


def words_of(name: ast.expr | None) -> str | None:
    """The words of a `name=`; None where it holds a value.

    A service's name is the one exception: it is the Compose file's own word, never a secret, and a progress line
    without it would say the same for each of twenty services.
    """
    if isinstance(name, ast.Constant):
        return str(name.value)
    if not isinstance(name, ast.JoinedStr):
        return None
    holes = [part for part in name.values if isinstance(part, ast.FormattedValue)]
    if any(ast.unparse(hole.value) != "service.name" for hole in holes):
        return None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "it" for part in name.values)


@pytest.mark.parametrize("source", SOURCES, ids=relative)
def test_every_operation_has_an_imperative_name_without_values(source: Path) -> None:
    """Without a name pyinfra prints an operation's arguments, secrets too; a value in a name is printed as well."""
    for call in operation_calls(source):
        name = words_of(next((word.value for word in call.keywords if word.arg == "name"), None))
        where = f"{relative(source)}:{call.lineno}: {ast.unparse(call.func)}"
        assert name is not None, f"{where} has no name, or one with values in it"
        # "Installs", "Installed", "Installing" are no imperatives; "Bring" only looks like one of them.
        assert re.fullmatch(r"(?!\w+(?:ed|s|(?<!Br)ing) )[A-Z][a-z]+ \S.*[^.]", name), f"{where} is called {name!r}"


def test_operations_are_found_at_all() -> None:
    """The check above looks at the roles' operations, not at nothing."""
    assert sum(1 for source in SOURCES for _ in operation_calls(source)) > 50


@pytest.mark.parametrize("template", TEMPLATES, ids=relative)
def test_every_template_says_first_that_hand_edits_are_undone(template: Path) -> None:
    """Whoever opens the file on a host reads it before anything else; only a script's #! line goes before."""
    lines = template.read_text(encoding="utf-8").splitlines()
    first = lines[1] if lines[0].startswith("#!") else lines[0]
    assert UNDONE.search(first), f"{relative(template)} begins with {first!r}"


def test_every_template_is_rendered_by_some_role() -> None:
    """A template that nothing renders is a leftover: its name stands in a role or in another template.

    A file without .j2 is put on hosts as it is; a Lua module is there for another one that requires it.
    """
    texts = [path.read_text(encoding="utf-8") for path in [*SOURCES, *TEMPLATES]]
    wanted = {relative(path): f'"{path.relative_to(ROOT / "templates")}"' for path in TEMPLATES if path.suffix == ".j2"}
    wanted |= {relative(path): f'require "slipway.{path.stem}"' for path in TEMPLATES if path.suffix == ".lua"}
    assert len(wanted) == len(TEMPLATES)
    assert [path for path, words in wanted.items() if not any(words in text for text in texts)] == []
