"""Text of others on its way to a terminal or a log: what would steer it is written out, what has no end is cut."""

from __future__ import annotations

import click

LONGEST = 20_000
"""Characters of one message: the last lines of a log fit, a disk's worth of bytes does not fill the screen."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text with every control character, line ends and tabs apart, as Python writes it; a long one is cut.

    So are characters that turn the direction of writing, take no room, or are half a surrogate pair: they make a
    person read something else than what is there.
    """
    shown = text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"
    if shown.isprintable():
        return shown
    return "".join(each if each.isprintable() or each in "\n\t" else _escaped(each) for each in shown)


def say(text: str, err: bool = False) -> None:
    """Prints a line or several, control characters written out."""
    click.echo(printable(text), err=err)


def in_one_line(text: str, longest: int = LONGEST) -> str:
    """The same, line ends and tabs written out as well: for what stands within a line or a table."""
    return printable(text, longest).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
