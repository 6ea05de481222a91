"""Where everything of one stage stands in its drawing. Pure.

Across, everything is a share of the width, so that a drawing fits a phone and a wide screen without a script; down,
everything is in pixels, so that text keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slipway.timeline.picture import Batch, Failure, Picture, StageRecord, Step

KINDS = {
    "gate": "whether the rest can carry the load",
    "drain": "no new requests; those under way finish",
    "stop": "the old container ends",
    "start": "the new container is made and started",
    "ready": "until it can serve",
    "monitor": "whether it stays ready",
    "admit": "requests go to it",
    "seal": "what it replaced is taken away",
    "revert": "the way back to what ran before",
    "delay": "pause between batches",
    "wait": "for a word, or for others",
    "other": "anything else",
}
"""What a host can be at, in the order of a roll, with what it means."""

_SAME = {"restore": "admit", "back": "revert"}

UNITS = 10_000
"""Width of the drawing in its own units."""
BAR, LANE, PAD, HEAD = 16, 19, 6, 40
"""Pixels: a bar's height, from one lane to the next, above and below a row's lanes, above the first row."""
LEAST = 14
"""Units of the shortest bar: what took a moment is still seen."""
BAND, MOST_WIDE = 105, 1600
"""Pixels of one batch on average, so that its steps can be told from one another, and of the whole at most."""
GAP = 6
"""Units between bars that follow one another."""
SAME_TIME = 0.02
"""Seconds by which steps that follow one another may overlap, since each is timed by itself."""
LAST_WORDS = 9300
"""Units up to which a tick has room for its words on its right, on a phone too."""
LABELLED, LABELLED_ON_A_PHONE = 450, 1400
"""Units that a bar needs for words in it."""
MOST_WORDS = 600
"""Steps up to which bars have words in them and say when they began; beyond, the page would grow past 200 kB."""


@dataclass(frozen=True)
class Bar:
    """One step, in units across and pixels down from its row's top."""

    x: int
    y: int
    length: int
    title: str
    words: str
    """What is written on it; empty where it is too short."""

    @property
    def top(self) -> int:
        return self.y - BAR // 2

    @property
    def is_short(self) -> bool:
        """Whether its words would be cut to nothing on a phone."""
        return self.length < LABELLED_ON_A_PHONE


@dataclass(frozen=True)
class Row:
    """One host."""

    name: str
    y: int
    height: int
    bars: tuple[tuple[str, tuple[Bar, ...]], ...]
    """By kind."""
    marks: tuple[tuple[int, str], ...]
    """Where it failed, and the words."""
    remark: str
    """failed, not reached, nothing to do, nothing told; empty where its steps say it all."""


@dataclass(frozen=True)
class Band:
    """One batch."""

    x: int
    length: int
    name: str
    took: str
    title: str
    outcome: str


@dataclass(frozen=True)
class Chart:
    """The drawing of one stage."""

    rows: tuple[Row, ...]
    bands: tuple[Band, ...]
    ticks: tuple[tuple[int, str], ...]
    height: int
    least_width: int
    """Pixels below which bars could not be told from one another."""
    kinds: tuple[str, ...]


def kind_of(step: Step) -> str:
    """The kind among KINDS that a step is drawn as."""
    what = _SAME.get(step.what, step.what)
    return what if what in KINDS else "other"


def kinds_in(steps: Iterable[Step]) -> tuple[str, ...]:
    """The kinds that occur, in the order of KINDS."""
    found = {kind_of(step) for step in steps}
    return tuple(kind for kind in KINDS if kind in found)


def chart_of(stage: StageRecord, picture: Picture) -> Chart:
    """The drawing of a stage that has steps."""
    scale = _Scale(stage)
    rows: list[Row] = []
    top = HEAD
    for name in ("", *stage.hosts) if any(not step.host for step in stage.steps) else stage.hosts:
        steps = [step for step in stage.steps if step.host == name]
        mine = [failure for failure in picture.failures if failure.host == name and failure.stage == stage.name]
        rows.append(_row(name, top, steps, mine, _idle(name, stage, picture), scale))
        top += rows[-1].height
    bands = tuple(_band(batch, scale) for batch in stage.batches)
    return Chart(
        tuple(rows), bands, tuple(scale.ticks()), top, min(BAND * len(bands), MOST_WIDE), kinds_in(stage.steps)
    )


def begin_of(stage: StageRecord) -> float:
    """Seconds of the run at which the drawing of a stage that has steps begins."""
    return min(span.at for span in _spans(stage))


def _spans(stage: StageRecord) -> list[Step | Batch]:
    return [*stage.steps, *stage.batches]


class _Scale:
    """From seconds to units."""

    def __init__(self, stage: StageRecord) -> None:
        self.begin = begin_of(stage)
        end = max(span.end for span in _spans(stage))
        self.seconds = max(end - self.begin, 0.1)  # a moment at least: it is divided by
        self.has_words = len(stage.steps) <= MOST_WORDS

    def __call__(self, at: float) -> int:
        return round((at - self.begin) / self.seconds * UNITS)

    def ticks(self) -> Iterable[tuple[int, str]]:
        every = next((each for each in _EVERY if self.seconds / each <= 8), _EVERY[-1])
        for number in range(int(self.seconds / every) + 1):
            x = round(number * every / self.seconds * UNITS)
            yield x, clock(number * every) if x <= LAST_WORDS else ""


_EVERY = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


def _idle(name: str, stage: StageRecord, picture: Picture) -> str:
    """What is said of a host without a step."""
    if not picture.hosts:
        return "nothing told"  # the run has no end: whether it would have been reached, nobody knows
    untouched = [host.name for host in picture.hosts if host.outcome == "not reached"]
    return "not reached" if name in untouched and stage.name == picture.stopped_in else "nothing to do"


def _row(name: str, top: int, steps: Sequence[Step], failures: Sequence[Failure], idle: str, scale: _Scale) -> Row:
    lanes = _lanes(steps)
    bars: dict[str, list[Bar]] = {kind: [] for kind in kinds_in(steps)}
    for step, lane in zip(_in_time(steps), lanes, strict=True):
        bars[kind_of(step)].append(_bar(step, lane, scale))
    remark = "failed" if failures else "" if steps else idle
    height = 2 * PAD + LANE * (max(lanes, default=0) + 1) - (LANE - BAR)
    grouped = tuple((kind, tuple(mine)) for kind, mine in bars.items())
    return Row(name, top, height, grouped, tuple(_marks(steps, failures, scale)), remark)


def _in_time(steps: Sequence[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (step.at, -step.seconds))


def _lanes(steps: Sequence[Step]) -> list[int]:
    """For each step in time the first lane that is free: what a host does at the same time lies beneath one another."""
    free_from: list[float] = []
    lanes = []
    for step in _in_time(steps):
        lane = next((n for n, free in enumerate(free_from) if free <= step.at + SAME_TIME), len(free_from))
        free_from[lane:] = [max(step.end, step.at), *free_from[lane + 1 :]]
        lanes.append(lane)
    return lanes


def _bar(step: Step, lane: int, scale: _Scale) -> Bar:
    x = min(scale(step.at), UNITS - LEAST)
    length = max(scale(step.end) - x - GAP, LEAST)
    said = f"{step.what} {step.subject}".strip()
    title = f"{said}: {duration(step.seconds)}"
    if scale.has_words:
        title = f"{title} at {clock(step.at - scale.begin)}"
    fits = scale.has_words and length >= LABELLED
    words = f"{step.what} {duration(step.seconds)} {step.subject}"  # what matters most first: the end may be cut
    return Bar(x, PAD + LANE * lane + BAR // 2, length, title, words if fits else "")


def _marks(steps: Sequence[Step], failures: Sequence[Failure], scale: _Scale) -> Iterable[tuple[int, str]]:
    """Where a step failed, and where a failure was told that is no step's own."""
    failed = {round(step.end, 3): f"{step.what} {step.subject} failed" for step in steps if step.outcome == "failed"}
    told = {failure.at: failure.text.partition("\n")[0] for failure in failures if failure.at is not None}
    for at, words in {**failed, **told}.items():
        yield min(max(scale(at), 0), UNITS), words


def _band(batch: Batch, scale: _Scale) -> Band:
    x = scale(batch.at)
    beyond = "" if batch.overhead is None else f", {duration(batch.overhead)} of it overhead"
    outcome = f", {batch.outcome}" if batch.outcome else ""
    title = f"batch {batch.number}: {', '.join(batch.hosts)}: {duration(batch.seconds)}{beyond}{outcome}"
    length = max(scale(batch.end) - x, LEAST)
    return Band(x, length, f"batch {batch.number}", duration(batch.seconds), title, batch.outcome)


def duration(seconds: float) -> str:
    """A time that something took: 0.04 s, 12.3 s, 2 min 05 s, 1 h 05 min."""
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(seconds: float) -> str:
    """A moment, counted from the beginning: 4.5 s, 1:05, 1:00:05."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
