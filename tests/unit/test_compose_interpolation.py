"""Variables in values, as the Compose specification has them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.compose.interpolation import BadVariable, escaped, interpolate

ANY = "${}$:-ab_1 \n\t\"'é€\u2028😀\0"
VARIABLES = {"SET": "value", "EMPTY": "", "_x1": "under"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("a-$SET-b", "a-value-b"),
        ("${SET}${_x1}", "valueunder"),
        ("$EMPTY|", "|"),
        ("$$SET", "$SET"),
        ("$$$SET", "$value"),
        ("${SET:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${NONE-other}", "other"),
        ("${NONE:-}", ""),
        ("${NONE:-a b:c}", "a b:c"),
        ("${NONE:-${SET}}", "value"),
        ("${NONE:-${ALSO_NONE:-deep}}", "deep"),
        ("${NONE:-$$}", "$"),
        ("${SET:?needed}", "value"),
        ("${EMPTY?needed}", ""),
        ("${SET:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${NONE+other}", ""),
        ("${SET:-${NONE}}", "value"),
        ("${NONE:+${NONE}}", ""),
        ('{"a": "}"}', '{"a": "}"}'),
    ],
)
def test_every_form_of_the_specification(text: str, result: str) -> None:
    """Each form gives what the specification says; a branch that is not taken may name what is not set."""
    assert interpolate(text, VARIABLES.get) == result


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$NONE", "the variable NONE is not set"),
        ("${NONE}", "the variable NONE is not set"),
        ("${NONE:-${ALSO}}", "the variable ALSO is not set"),
        ("${NONE:?say why}", "the variable NONE must be set and not empty: say why"),
        ("${EMPTY:?say why}", "the variable EMPTY must be set and not empty: say why"),
        ("${NONE?}", "the variable NONE must be set: it is required here"),
        ("${NONE", "has no closing brace"),
        ("${}", "that starts no variable"),
        ("${SET!x}", "is no form of a variable"),
        ("a$", "that starts no variable"),
        ("$1", "that starts no variable"),
        ("${A:-" * 30 + "}" * 30, "nested too deeply"),
    ],
)
def test_what_is_no_variable_or_has_no_value_is_refused(text: str, what: str) -> None:
    """Nothing becomes an empty string silently."""
    with pytest.raises(BadVariable) as raised:
        interpolate(text, VARIABLES.get)
    assert what in str(raised.value)


@settings(database=None)  # the cases are quick to find again; nothing is left in the checkout
@given(st.text(alphabet=ANY, max_size=80))
def test_escaped_text_comes_out_as_it_is(text: str) -> None:
    """Round trip: what is escaped for the file is what the container gets."""
    assert interpolate(escaped(text), {}.get) == text


@settings(database=None)  # as above
@given(st.text(alphabet="${}:-?+AB ", max_size=40))
def test_any_text_is_replaced_or_refused(text: str) -> None:
    """No sequence of the special characters does anything but give text or a BadVariable."""
    try:
        assert isinstance(interpolate(text, {"A": "a"}.get), str)
    except BadVariable as bad:
        assert str(bad)
