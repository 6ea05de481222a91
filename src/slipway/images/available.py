"""Whether an image that hosts have lost can be brought to them again."""

from __future__ import annotations

from slipway.compose import Stack
from slipway.images.engine import connect, image_id
from slipway.images.problem import ImageFailed
from slipway.images.source import image_name
from slipway.release import build_of


def can_be_brought(stack: Stack, ref: str) -> bool:
    """By its digest from a registry; else from this machine's engine, or from a source that is as it was then."""
    return "@sha256:" in ref or _is_held(ref) or _is_source_of(stack, ref)


def _is_held(ref: str) -> bool:
    try:
        return image_id(connect(), ref) is not None
    except ImageFailed:
        return False  # no engine here: nothing can come from it


def _is_source_of(stack: Stack, ref: str) -> bool:
    try:
        return any(image_name(stack.name, build_of(each)) == ref for each in stack.services if each.build)
    except ImageFailed:
        return False  # the source is gone
