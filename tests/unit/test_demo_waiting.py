"""What the demo's tests wait for is asked again, whatever way it says that it is not there yet."""

from __future__ import annotations

import pytest

from tests.demo.stack import NotYet, until


@pytest.mark.parametrize("refusal", [NotYet("migrating"), ConnectionRefusedError("no listener"), None])
def test_what_is_not_there_yet_is_asked_again(refusal: Exception | None) -> None:
    answers = iter([refusal, refusal, "there"])

    def asked() -> str | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert until(asked, "the third answer", seconds=5) == "there"


def test_the_last_reason_is_told_when_time_is_up() -> None:
    def asked() -> None:
        raise NotYet("still migrating")

    with pytest.raises(AssertionError, match="still migrating"):
        until(asked, "a migration", seconds=0.2)
