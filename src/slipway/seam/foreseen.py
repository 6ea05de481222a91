"""What is going to be asked of a host: by what the last run asked, and by what this one has asked while preparing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from slipway.seam import learnt
from slipway.seam.learnt import Learnt
from slipway.seam.together import Question


class Foreseen:
    """The questions of one host, each with the operations that put it."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._path: Path | None = None
        self._last: Learnt | None = None
        self._asked: dict[tuple[int, Question], None] = {}
        """(number of the operation, question); -1 is before the first operation."""
        self._numbers: dict[str, int] = {}
        self.slow: set[Question] = set()
        """Too slow to be asked together with others."""
        self.settled: set[str] = set()
        """Operations whose commands have gone to the host before their turn: they change nothing any more."""
        self.reads_ahead_to = ""
        """The last of the operations that are looked at before their turn; empty where none is."""
        self.is_whole = False
        """Whether this run has asked all that there is to ask while preparing."""

    def learn_from(self, path: Path) -> None:
        """What the last run asked is kept there, and what this one asks will be."""
        self._path, self._last = path, None

    def _learnt(self) -> Learnt:
        if self._last is None:  # read at the first question: a host that is not asked costs nothing
            self._last = learnt.read(self._path) if self._path else Learnt()
            self.slow |= self._last.slow
        return self._last

    @property
    def is_new(self) -> bool:
        """Whether no run is known to have asked anything, and what this one asks is going to be kept."""
        return self._path is not None and not self._learnt().questions

    def expect(self, questions: Iterable[Question]) -> None:
        """This run is going to ask these: what is known of a host that is new."""
        self._last = Learnt(tuple(questions))

    def note(self, question: Question) -> None:
        """This question is being asked now."""
        if not question.alone:
            self._asked[self._number(), question] = None

    def first_privilege(self) -> tuple[tuple[str, Any], ...] | None:
        """As whom the last run asked its first questions; None where it asked none that go together."""
        first, *others = self._learnt().questions or (None,)
        return first.privilege if first and any(each.privilege == first.privilege for each in others) else None

    def coming(self, question: Question) -> list[Question]:
        """What else will be asked under the same privilege, as far as it can be known, and before anything changes.

        While a run executes, operations that are expected to change something end it: behind them other answers hold.
        """
        found = dict.fromkeys(each for each in self._from_here() if each.privilege == question.privilege)
        found.pop(question, None)
        return [each for each in found if each not in self.slow]

    def _from_here(self) -> Iterator[Question]:
        last = self._learnt()  # first: it also says which questions are slow
        if not self._host.state.is_executing:
            yield from last.questions
            yield from (each for _, each in self._asked)
            return
        here = self._number()
        if here >= 0:  # what is asked outside of any operation (a gate, a look) is for the moment only
            until = max(self._next_change(here), self._numbers.get(self.reads_ahead_to, -1))
            yield from (each for number, each in self._asked if here <= number <= until)

    def _next_change(self, here: int) -> int:
        order, data = self._host.op_hash_order, self._host.state.ops[self._host]
        for number in range(here, len(order)):
            operation = data[order[number]].operation_meta if order[number] in data else None
            if operation is None or operation.is_complete() or order[number] in self.settled:
                continue
            if operation._maybe_is_change:
                return number
        return len(order)

    def _number(self) -> int:
        """Of the operation in hand; -1 outside of one."""
        identity = self._host.executing_op_hash or self._host.current_op_hash
        order = self._host.op_hash_order
        if len(self._numbers) != len(order):
            self._numbers = {each: number for number, each in enumerate(order)}
        return self._numbers.get(identity, -1)

    def save(self) -> None:
        """Keeps what was asked for the next runs; what two whole runs did not ask is forgotten."""
        asked = tuple(each for _, each in self._asked)
        if self._path is None or not asked:
            return
        last, now = self._learnt(), dict.fromkeys(asked)
        others = [each for each in last.questions if each not in now]
        fading = last.fading.intersection(others)
        if self.is_whole:
            others = [each for each in others if each not in fading]
            fading = frozenset(others)
        questions = (*now, *others)
        new = Learnt(questions, frozenset(self.slow).intersection(questions), fading)
        if new != last:
            learnt.write(self._path, new)
