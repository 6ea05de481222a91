"""A template is rendered once for what goes into it: not for each host, and not again in the second pass."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel, PrivateAttr

from slipway.compiled import Compiled
from slipway.distinct import NoKey, key_of
from slipway.fleet import Member
from slipway.ops import files
from slipway.render import Templates, _made
from slipway.secrets import Secret
from tests.many_hosts import project, run


class Site(BaseModel):
    name: str
    ports: list[int] = []


class Counted(BaseModel):
    _seen: int = PrivateAttr(default=0)


class Odd:
    """Says of itself what is not in its fields."""


PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(-1, 1), st.text("ab", max_size=2), st.just(-0.0)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(PLAIN, PLAIN)
def test_only_what_reads_the_same_has_the_same_key(one: Any, other: Any) -> None:
    """1 and True, 0.0 and -0.0, a dict in another order: equal to Python, and another text in a template."""
    assert (key_of(one) == key_of(other)) == (repr(one) == repr(other))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Site(name="a", ports=[80]), Site(name="a", ports=[80]), True),
        (Site(name="a", ports=[80]), Site(name="a", ports=[81]), False),
        (Member("web1", "10.0.0.1", ("web",)), Member("web1", "10.0.0.1", ("web",)), True),
        (Member("web1", "10.0.0.1", ("web",)), Member("web1", "10.0.0.1", ("db",)), False),
        ([1, 2], (1, 2), False),
        (1, True, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
    ],
)
def test_data_of_roles_has_a_key(one: Any, other: Any, is_same: bool) -> None:
    """Models and data classes by their fields, sequences by their type too."""
    assert (key_of(one) == key_of(other)) == is_same


@pytest.mark.parametrize("value", [Odd(), Secret("x"), [Secret("x")], {"a": Odd()}, Counted(), {1, 2}, len])
def test_what_is_no_plain_data_has_none(value: Any) -> None:
    """It is rendered each time: a secret is kept as no key, and what an object may do nobody knows."""
    with pytest.raises(NoKey):
        key_of(value)


def made(path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[Callable[..., str], list[str]]:
    """`render(**variables)` of that template, and a list that grows with each time that it really is."""
    project(path, 1, 1)
    (path / "templates/it.j2").write_text(text)
    monkeypatch.chdir(path)
    templates, rendered = Templates(), list[str]()
    real = templates._render
    monkeypatch.setattr(templates, "_render", lambda name, given: rendered.append(name) or real(name, given))
    return lambda **variables: templates.render("it.j2", variables), rendered


def test_the_same_variables_give_the_text_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other ones another text, equal ones the same; without a key it is rendered anew."""
    render, rendered = made(tmp_path, monkeypatch, "{{ value }}")
    assert [render(value=value) for value in (1, True, 1, [1], [1])] == ["1", "True", "1", "[1]", "[1]"]
    assert len(rendered) == 3
    render(value=Odd())
    render(value=Odd())
    assert len(rendered) == 5


def test_many_hosts_share_what_is_the_same_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hosts, declared, prepared and executed: each of three files is rendered and hashed once."""
    project(tmp_path, 5, 3)
    monkeypatch.chdir(tmp_path)
    rendered, real = list[str](), Templates._render
    monkeypatch.setattr(Templates, "_render", lambda own, name, given: rendered.append(name) or real(own, name, given))
    files._sha256.cache_clear()
    assert sum(host.unchanged for host in run(tmp_path).hosts.values()) == 15
    assert rendered == ["limits.j2"] * 3
    assert (files._sha256.cache_info().misses, files._sha256.cache_info().hits) == (3, 27)


def test_a_secret_is_in_no_table() -> None:
    """Its hash is the one of its bytes, worked out each time; that of other texts is what it was."""
    files._sha256.cache_clear()
    texts = ["x", b"x", "x" * 70_000, "ü"]
    assert [files.sha256_of(text) for text in texts] == [sha256(files.as_bytes(text)).hexdigest() for text in texts]
    assert files.sha256_of(Secret("x")) == files.sha256_of("x")
    assert files._sha256.cache_info().currsize == 3


@pytest.fixture
def compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, int]]:
    """Renders the text as a new process would; with how often Jinja compiled it."""
    templates = tmp_path / "templates"
    templates.mkdir()
    compiled: list[str] = []
    compile_it = Environment._compile

    def counted(self: Environment, source: str, filename: str) -> Any:
        compiled.append(source)
        return compile_it(self, source, filename)

    def rendered(text: str) -> tuple[str, int]:
        (templates / "a.j2").write_text(text)
        environment = _made(FileSystemLoader(templates), Compiled(tmp_path / "kept"))
        compiled.clear()
        return environment.get_template("a.j2").render(name="x"), len(compiled)

    monkeypatch.setattr(Environment, "_compile", counted)
    return rendered


def test_a_template_stays_compiled_until_its_text_is_another(
    compiling: Callable[[str], tuple[str, int]], tmp_path: Path
) -> None:
    """From one run to the next. What is kept is for our eyes, and out of git."""
    assert [compiling("{{ name }}\n"), compiling("{{ name }}\n"), compiling("{{ name }}!\n")] == [
        ("x\n", 1), ("x\n", 0), ("x!\n", 1),
    ]  # fmt: skip
    (kept,) = (each for each in (tmp_path / "kept").iterdir() if each.name != ".gitignore")
    assert (kept.stat().st_mode & 0o777, (tmp_path / "kept/.gitignore").read_text()) == (0o600, "*\n")


@pytest.mark.parametrize("harm", ["truncate -s 40", "chmod 0620", "sed -i s/name/eman/", "rm", "tee"])
def test_what_is_kept_of_a_template_may_be_gone_damaged_or_anybodys(
    compiling: Callable[[str], tuple[str, int]], tmp_path: Path, harm: str
) -> None:
    """It is compiled again."""
    compiling("{{ name }}\n")
    for file in (tmp_path / "kept").iterdir():
        subprocess.run([*harm.split(), str(file)], check=True, stdin=subprocess.DEVNULL)
    assert compiling("{{ name }}\n") == ("x\n", 1)


def test_a_template_is_compiled_where_nothing_can_be_kept(
    compiling: Callable[[str], tuple[str, int]], tmp_path: Path
) -> None:
    """A checkout that nothing may be written into is only slower."""
    (tmp_path / "kept").write_text("in the way")
    assert [compiling("{{ name }}\n"), compiling("{{ name }}\n")] == [("x\n", 1)] * 2
