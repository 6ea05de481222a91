"""Values of secrets as they come in: typed, piped or drawn; never an argument, never shown."""

from __future__ import annotations

import secrets as random
import string
import sys
from collections.abc import Collection

import click

from slipway.engine.secret_source import Source
from slipway.problems import BadInput, Problem
from slipway.secrets.reading import fault
from slipway.secrets.versions import Phase, phase_of

LENGTH = 32
"""Letters and digits of a drawn value: 190 bits, and nothing that a file or an address would have to quote."""


def value_given(name: str) -> str:
    """A value from standard input without its last line end, or typed twice. Raises BadInput for what is no secret."""
    if sys.stdin.isatty():
        value: str = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        try:
            value = sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise BadInput([Problem(name, "the value is not UTF-8 text", "encode it, as base64 does")]) from None
    if why := fault(value):
        hint = f"give it on standard input: ./slipway secrets set ... {name} < FILE; or --generate"
        raise BadInput([Problem(name, f"the value {why}", hint)])
    return value


def drawn(length: str) -> str:
    """A new value of so many letters and digits. Raises BadInput."""
    if not length.isdecimal() or not 16 <= int(length) <= 512:
        raise BadInput([Problem("--generate", f"{length[:20]!r} is no length", "a number from 16 to 512")])
    return "".join(random.choice(string.ascii_letters + string.digits) for _ in range(int(length)))


def phase_in(name: str, known: Collection[str], source: Source) -> Phase:
    """How far the rotation of a secret is. Raises BadInput where its entries contradict each other."""
    try:
        return phase_of(name, known)
    except ValueError as error:
        hint = f"take one of them out: ./slipway secrets edit {source.inventory}"
        raise BadInput([Problem(source.place, str(error), hint)]) from None
