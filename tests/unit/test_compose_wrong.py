"""Compose files that must be refused: where, and what is said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.compose import load
from slipway.problems import BadInput

WEB = "services:\n  web:\n    image: app:1\n"
FILES = Path(__file__).parent / "compose_files"
SECRET = "hunter2-hunter2"


def web(*lines: str) -> str:
    """A file with one service whose keys begin at line 4."""
    return WEB + "".join(f"    {line}\n" for line in lines)


@dataclass(frozen=True)
class Wrong:
    """A file, and the one problem it has."""

    name: str
    file: str
    where: str
    what: str


def _wrong() -> list[Wrong]:
    sections = (FILES / "wrong.txt").read_text(encoding="utf-8").split("\n### ")[1:]
    return [_case(section) for section in sections]


def _case(section: str) -> Wrong:
    name, _, rest = section.partition("\n")
    file, _, said = rest.rpartition("=> ")
    match = re.fullmatch(r"([^:]+:\d+): (.+)", said.strip())
    assert match, f"wrong.txt: {name}: no file, line and text after =>"
    return Wrong(name, file, match[1], match[2])


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty stack `demo` beneath the working directory, with a Dockerfile and two faulty env files."""
    directory = tmp_path / "stacks" / "demo"
    directory.mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "secret.env").write_text("A=1\nDB_PASSWORD=x\n")
    (directory / "bad.env").write_text("A=1\n\nnot a line\n")
    monkeypatch.chdir(tmp_path)
    return Path("stacks/demo/compose.yaml")


def refused(path: Path, text: str) -> BadInput:
    """What load() says about a file with this text."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        load(path, variables={"DB_PASSWORD": SECRET}, secret_names=["DB_PASSWORD"])
    return raised.value


@pytest.mark.parametrize("wrong", _wrong(), ids=lambda wrong: wrong.name)
def test_a_wrong_file_is_refused_at_its_line_with_one_problem_and_no_secret(wrong: Wrong, stack: Path) -> None:
    """Each mistake is one problem, at its own file and line, and says what is wrong without a secret's value."""
    error = refused(stack, wrong.file)
    assert [(f"stacks/demo/{wrong.where}", wrong.what)] == [(each.where, each.what) for each in error.problems]
    assert SECRET not in str(error)


def test_all_problems_are_told_at_once(stack: Path) -> None:
    """Mistakes in several services, keys and rules are told together."""
    text = web("privileged: true", "user: no", "deploy: {replicas: -1, replica: 2}", "ports: ['a', 'b']")
    error = refused(stack, text + "  job: {image: 'job:latest', depends_on: [wbe]}\nvolume: {}\n")
    assert sorted(int(each.where.rpartition(":")[2]) for each in error.problems) == [4, 5, 6, 6, 7, 7, 8, 8, 9]


def test_problems_between_services_are_told_beside_problems_of_another_service(stack: Path) -> None:
    """A service that cannot be read does not hide what is wrong between the others, nor does it count as missing."""
    text = web("privileged: true") + "  job: {image: 'job:1', depends_on: [web], volumes: ['d:/d']}\n"
    whats = [each.what for each in refused(stack, text).problems]
    assert whats == [
        "services.web.privileged: not supported: it is root on the host",
        "services.job: the volume 'd' is not declared",
    ]


def test_an_unknown_key_is_answered_with_the_nearest(stack: Path) -> None:
    """The hint of an unknown key names the key that was meant."""
    assert refused(stack, web("heathcheck: {}")).problems[0].hint == "did you mean 'healthcheck'?"


def test_a_refused_key_says_what_to_do_instead(stack: Path) -> None:
    """The hint of a refused key is the way that does work."""
    assert (
        refused(stack, web("extends: {service: a}")).problems[0].hint == "use a YAML anchor and `<<`, or copy the keys"
    )


def test_the_line_of_a_fragment_is_where_it_is_written(stack: Path) -> None:
    """A mistake that comes in by a merge key is told at the line of the fragment, for the service that uses it."""
    text = "x-base: &base\n  image: app:1\n  user: no\nservices:\n  web:\n    <<: *base\n"
    problem = refused(stack, text).problems[0]
    assert (problem.where, problem.what.partition(":")[0]) == ("stacks/demo/compose.yaml:3", "services.web.user")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"services: \x00", "not valid YAML"),
        (b"a: '\\ud800'\xed\xa0\x80", "is not UTF-8"),
    ],
)
def test_bytes_that_are_no_text_are_refused(content: bytes, what: str, stack: Path) -> None:
    """A file that is not text ends with a problem, not with a traceback."""
    stack.write_bytes(content)
    with pytest.raises(BadInput, match=what):
        load(stack, variables={})


def test_a_missing_file_is_named(stack: Path) -> None:
    """A stack without a Compose file says which path was looked for."""
    with pytest.raises(BadInput, match=r"stacks/demo/compose.yaml: cannot be read: No such file or directory"):
        load(stack, variables={})


def test_deep_nesting_and_wide_aliases_end_with_a_problem(stack: Path) -> None:
    """Neither a thousand brackets nor lists of lists of aliases exhaust the reader."""
    refused(stack, "a: " + "[" * 5000)
    levels = [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'lol'}]" for n in range(30)]
    refused(stack, "\n".join(levels) + "\nservices:\n  web: {image: 'app:1', volumes: *a29, command: *a29}\n")
