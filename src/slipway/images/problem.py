"""What went wrong with an image, and what to do next."""

from __future__ import annotations

from slipway.problems import Problem


class ImageFailed(Exception):
    """An image could not be built, packed, found or loaded. Reads: where, what is wrong, HINT."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.problem = Problem(where, what, hint)
        super().__init__(str(self.problem))
