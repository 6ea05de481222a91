"""Writing secrets: any text comes back as it was, other lines stay, the file is the old one or the new one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.secrets import SourceUnreadable, open_source
from slipway.secrets.document import changed, entries, scalar
from slipway.secrets.store import store_of, write_whole

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,20}", fullmatch=True)
# What can be a secret: no NUL, no half a surrogate pair.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
WRITTEN = """\
# where they come from
plain: 0123
quoted: "it's\\tone"   # why
folded: >-
  two
  lines
block: |
  line 1
  line 2

'single': 'a ''b'''
anchored: &it yes
alias: *it
last: end"""


def values(text: str) -> dict[str, str]:
    return {name: scalar(node) for name, node in entries(text, "f").items()}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, TEXTS, max_size=4), NAMES, TEXTS)
def test_any_text_is_set_and_read_again(held: dict[str, str], name: str, value: str) -> None:
    """Quotes, line ends, control characters, emoji, what YAML takes for numbers: as they were; others untouched."""
    text = changed("", held, "f")
    assert values(text) == held
    text = changed(text, {name: value}, "f")
    assert values(text) == {**held, name: value}
    assert yaml.load(text, Loader=yaml.BaseLoader) == {**held, name: value}  # noqa: S506 - it makes nothing but texts
    assert values(changed(text, {name: None}, "f")) == {key: held[key] for key in held if key != name}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["plain", "quoted", "folded", "block", "single", "anchored", "last", "new"]), TEXTS)
def test_a_file_that_a_person_wrote_keeps_its_values(name: str, value: str) -> None:
    """In whatever style each of them is written."""
    before = values(WRITTEN)
    assert values(changed(WRITTEN, {name: value}, "f")) == {**before, name: value}
    assert values(changed(WRITTEN, {name: None}, "f")) == {key: before[key] for key in before if key != name}


def test_other_lines_and_comments_stay() -> None:
    """One value is changed, one taken out, one added: the rest of the file is byte for byte what it was."""
    text = "# top\na: 1 # why\n\nb: |\n  x\n# end of b\nc: 3"
    assert changed(text, {"a": "2", "c": None, "d": "é\n"}, "f") == (
        '# top\na: "2"\n\nb: |\n  x\n# end of b\nd: "é\\n"\n'
    )


@pytest.mark.parametrize("text", ["{a: 1, b: 2}", "--- {a: 1, b: 2}\n", "---\na: 1\nb: 2\n...\n"])
def test_a_file_of_another_shape_is_written_anew(text: str) -> None:
    """Where lines cannot be told apart the values are what counts."""
    assert values(changed(text, {"a": "x", "c": "y"}, "f")) == {"a": "x", "b": "2", "c": "y"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1]\n", r"f: 'a' is a list or a mapping"), ("a: !vault x\n", "'a' is still encrypted"),
        ("a: 1\na: 2\n", "f:2 gives 'a' a second value"), ("a: b: c\n", "f:1 is not valid YAML"),
        ("a: 1\n>>>>>>> x\n", "f:2 is in the middle of a merge"), ("? [a]\n: 1\n", "f:1 has no name before its colon"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_not_made_worse(text: str, says: str) -> None:
    """What cannot be read again with certainty is left to a person."""
    with pytest.raises(SourceUnreadable, match=says):
        changed(text, {"z": "1"}, "f")


def plain(tmp_path: Path, text: str = "a: 1\n", mode: int = 0o600) -> Path:
    path = tmp_path / "secrets.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_plain_file_is_written_too_and_keeps_its_mode(tmp_path: Path) -> None:
    """Whoever keeps secrets in a file of their own has the same commands; a link stays a link."""
    path = plain(tmp_path, mode=0o400)
    (tmp_path / "link.yaml").symlink_to(path)
    store_of("file:link.yaml", tmp_path).edit({"b": "2"})
    assert (path.read_text(), path.stat().st_mode & 0o777) == ('a: 1\nb: "2"\n', 0o400)
    assert (tmp_path / "link.yaml").is_symlink()
    assert open_source("file:link.yaml", tmp_path).get("b").reveal() == "2"


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """From its first byte."""
    write_whole(tmp_path / "new", b"x", 0o600)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    """A full disk in the middle: the old file is whole, and no half of the new one lies beside it."""
    path = plain(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SourceUnreadable, match=r"secrets.yaml cannot be written: No space left on device"):
        store_of("file:secrets.yaml", tmp_path).edit({"b": "2"})
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.yaml"]
    assert path.read_text() == "a: 1\n"


def test_what_somebody_else_wrote_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """An edit that began before it is refused."""
    path = plain(tmp_path)
    store = store_of("file:secrets.yaml", tmp_path)
    path.write_text("a: theirs\n")
    with pytest.raises(SourceUnreadable, match="changed by somebody else"):
        store.replace("a: 1\n", "a: mine\n")
    assert path.read_text() == "a: theirs\n"


def test_two_writers_at_once_both_count(tmp_path: Path) -> None:
    """Each reads what the other has written."""
    plain(tmp_path)
    threads = [
        threading.Thread(target=store_of("file:secrets.yaml", tmp_path).edit, args=({f"n{number}": "x"},))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(open_source("file:secrets.yaml", tmp_path).names) == {"a", *(f"n{number}" for number in range(12))}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("env:X_", "a source of the kind env: is not written by Slipway; set the variable"),
        ("command:pass show {name}", "of the kind command: is not written by Slipway; change it by that program"),
        ("vault:x", "'vault' is no secret source"), ("file:gone/secrets.yaml", "cannot be written: No such file"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_written_says_what_to_do(spec: str, says: str, tmp_path: Path) -> None:
    """Where values are kept by something else, that is where they are changed."""
    with pytest.raises(SourceUnreadable, match=says):
        store_of(spec, tmp_path).edit({"a": "b"})


def test_a_plain_file_that_others_can_read_is_not_written(tmp_path: Path) -> None:
    """Another secret in it would be theirs as well."""
    plain(tmp_path, mode=0o644)
    with pytest.raises(SourceUnreadable, match=r"can be read by others \(mode 0644\)"):
        store_of("file:secrets.yaml", tmp_path).edit({"b": "2"})
