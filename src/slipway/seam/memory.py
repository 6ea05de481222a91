"""What a host has answered, for as long as it holds; and asking it for all that is going to be needed at once."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from gevent.lock import BoundedSemaphore
from pyinfra import logger
from pyinfra.api import QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput

from slipway.seam.errors import ConnectionLost
from slipway.seam.foreseen import Foreseen
from slipway.seam.together import SOME, Answer, Question, answers, in_order, question_of, text

if TYPE_CHECKING:
    from slipway.seam.connection import Connection

EACH_SECONDS = 20
"""For one of many questions, or a few quick ones: what takes longer is asked by itself, now and in the next run, and
holds up nobody."""

ALL_SECONDS = 120
"""For all of them together. What is not answered by then is asked again."""

QUICK_SECONDS = 5
"""A question that is answered by itself in less is slow no longer."""

SWITCH = "SLIPWAY_TOGETHER"
"""`no`: each question and each change goes by itself. For whoever suspects that it makes a difference."""


_SHELL = StringCommand("sh", "-s", QuoteString("questions at once"))
"""Reads its questions: the same whatever they are, so that it can be started before they are known."""


class Holds(Enum):
    """How long an answer holds, if nothing changes on its host."""

    NOT = "live"
    """It proves something at the moment at which it is asked."""
    UNTIL_ANY_CHANGE = False
    """What is done to another host may make another answer of it: a container's health, a port."""
    UNTIL_A_CHANGE_HERE = True
    """Only a command on the host itself makes another answer of it: a file, a package."""


@dataclass(frozen=True)
class Known:
    """An answer, and when it was given."""

    ok: bool
    output: CommandOutput
    sent: float
    """Time of day when its command was sent, by this machine's clock."""
    received: float
    since: int
    """When it was asked for, as the memory counts its beginnings."""


class Memory:
    """The answers of one host. The same question is put once, until something changes there or in the fleet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.foreseen = Foreseen(connection.host)
        self.changes = 0
        """Counts beginnings and ends of commands that may change the host."""
        self.between = (0.0, 0.0)
        """When the answer that was given last was asked for, and when it had come."""
        self._known: dict[Question, Known] = {}
        self._announced: dict[Question, None] = {}
        self._fresh: dict[Question, Known] = {}
        """Answers to announced questions; each is given once."""
        self._local: set[Question] = set()
        """Whose answers no other host has a part in."""
        self._tried: set[Question] = set()
        """Asked together with others, and not answered so that it is certain: asked by itself."""
        self._looks = False
        self._begun = 0
        """How often everything was forgotten: an answer that was asked for before that is not kept after it."""
        self._together = BoundedSemaphore(1)
        self._prints: Mapping[str, bool] = {}
        self._may_ask_together = os.environ.get(SWITCH) != "no"

    @property
    def is_on(self) -> bool:
        """Whether anything may go together with anything else."""
        return self._may_ask_together

    def changed(self) -> None:
        """Something begins that may change the host, or has ended."""
        self.changes += 1
        self._begin_anew(looks=False)

    def forget(self) -> None:
        """For a look at the host as it is now: every question is put, by itself, until something changes."""
        self._begin_anew(looks=True)

    def renew(self) -> None:
        """Every answer is asked for anew; what is going to be needed is asked together."""
        self._begin_anew(looks=False)

    def doubt(self) -> None:
        """Something was changed somewhere in the fleet: what other hosts may have a part in is asked for anew."""
        local = {question: known for question, known in self._known.items() if question in self._local}
        self._begin_anew(looks=False)
        self._known |= local

    def _begin_anew(self, looks: bool) -> None:
        self._known.clear()
        self._fresh.clear()
        self._tried.clear()
        self._looks = looks
        self._begun += 1

    def start_for_what_comes(self) -> None:
        """Starts the shell that is going to be asked what the last run asked, while something else is waited for."""
        if self._may_ask_together and (privilege := self.foreseen.first_privilege()) is not None:
            self._connection.start_ahead(_SHELL, **dict(privilege), _timeout=ALL_SECONDS)

    def start_for_announced(self) -> None:
        """The same for the questions that were announced."""
        alike = self._announced_like(next(iter(self._announced))) if self._announced else []
        if self._may_ask_together and len(alike) > 1:
            most = sum(each.seconds for each in alike)
            self._connection.start_ahead(_SHELL, **dict(alike[0].privilege), _timeout=most)

    def announce(self, command: StringCommand, arguments: Mapping[str, Any]) -> None:
        """This question will be put for a live answer, beside others of its kind."""
        question = question_of(command, arguments)
        if not question.alone:
            self._announced[question] = None

    def ask(
        self, command: StringCommand, prints: Mapping[str, bool], arguments: Mapping[str, Any],
        holds: Holds = Holds.UNTIL_ANY_CHANGE,
    ) -> tuple[bool, CommandOutput]:  # fmt: skip
        """The answer of a command that changes nothing. A live one is never one from before."""
        question, is_live, self._prints = question_of(command, arguments), holds is Holds.NOT, prints
        if holds is Holds.UNTIL_A_CHANGE_HERE:
            self._local.add(question)
        known = self._live(question) if is_live else self._remembered(question)
        if known is None:
            known = self._ask_alone(question, command, {**prints, **arguments})
            if known.ok and not is_live and known.since == self._begun:
                self._known[question] = known
        self.between = (known.sent, known.received)
        return known.ok, known.output

    def _remembered(self, question: Question) -> Known | None:
        self.foreseen.note(question)
        if question in self._known or question.alone or self._looks or not self._may_ask_together:
            return self._known.get(question)
        with self._together:  # whoever asks meanwhile may find the answer among those that come
            if question not in self._known and question not in self._tried:
                self._ask_what_comes(question)
        return self._known.get(question)

    def _ask_what_comes(self, question: Question) -> None:
        coming = [
            each for each in self.foreseen.coming(question) if each not in self._known and each not in self._tried
        ]
        if coming and question not in self.foreseen.slow:
            self._known |= self._ask_together([question, *coming], EACH_SECONDS, ALL_SECONDS)

    def _live(self, question: Question) -> Known | None:
        if not self._may_ask_together:
            return None
        with self._together:
            self._announced.pop(question, None)
            others = self._announced_like(question)
            if question not in self._fresh and others and not question.alone:
                self._announced = {each: None for each in self._announced if each not in others}
                most = sum(each.seconds for each in (question, *others))
                self._fresh |= self._ask_together([question, *others], most, most, some=1)
        return self._fresh.pop(question, None)

    def _announced_like(self, question: Question) -> list[Question]:
        """Those that go together with it."""
        return [each for each in self._announced if each.privilege == question.privilege]

    def _ask_alone(self, question: Question, command: StringCommand, arguments: Mapping[str, Any]) -> Known:
        sent, since = time.time(), self._begun
        ok, output = self._connection._run(command, **{**arguments, "_timeout": question.seconds})
        received = time.time()
        if received - sent < QUICK_SECONDS:
            self.foreseen.slow.discard(question)
        return Known(ok, output, sent, received, since)

    def _ask_together(
        self, questions: Sequence[Question], each: float, all_of_them: float, some: int = SOME
    ) -> dict[Question, Known]:
        """What is known for certain afterwards. Raises ConnectionLost where the connection is gone."""
        questions = in_order(questions)
        sent, since, mark = time.time(), self._begun, secrets.token_hex(16)
        found = self._said(questions, text(mark, questions, each, some), mark, all_of_them)
        received = time.time()
        logger.debug(
            "%s%d questions at once, %d answers", self._connection.host.print_prefix, len(questions), len(found)
        )
        self._note_what_is_not_certain(questions, found)
        if since != self._begun:
            return {}
        return {
            question: Known(True, answer.output, sent, received, since)
            for question, answer in zip(questions, found, strict=False)
            if answer.code == 0
        }

    def _said(self, questions: Sequence[Question], asked: bytes, mark: str, seconds: float) -> list[Answer]:
        arguments = {
            **self._prints,
            **dict(questions[0].privilege),
            "_success_exit_codes": [0, 124, 137],
            "_timeout": seconds,
        }
        try:
            _, output = self._connection._run(_SHELL, _stdin=asked, **arguments)
        except ConnectionLost:
            if not self._connection._is_open():
                raise
            return []
        return answers(mark, output, len(questions))

    def _note_what_is_not_certain(self, questions: Iterable[Question], found: Sequence[Answer]) -> None:
        pairs = list(zip(questions, found, strict=False))
        self._tried |= {question for question, answer in pairs if answer.code != 0}
        self.foreseen.slow |= {question for question, answer in pairs if answer.is_out_of_time}
        if len(found) == 0:
            self._tried |= set(questions)
