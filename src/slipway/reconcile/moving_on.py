"""Whether a run on a schedule may bring what the repository wants in the place of what serves. Pure."""

from __future__ import annotations

from collections.abc import Callable

from slipway.history import History

DIRTY = "-dirty"


def objection(known: History, wanted: str, last_way: str, commit: str, is_built_on: Callable[[str], bool]) -> str:
    """Why not: somebody has brought something newer, or has gone back on purpose. Empty where nothing speaks against.

    + last_way: how what serves became current
    + commit: of the repository here; empty outside of one
    + is_built_on: whether that commit contains another one
    """
    serving = known.serving
    if serving is None or serving.id == wanted:
        return ""
    if last_way == "rollback" and wanted in known.known and known.known[wanted].has_served:
        who, when = serving.record.get("who", "somebody"), serving.record.get("when", "?")
        return f"release {wanted} served before and was rolled back from, to {serving.id} ({who}, {when}): fix forward"
    return _commits(serving.id, str(serving.record.get("commit", "")), commit, is_built_on)


def _commits(serving: str, theirs: str, ours: str, is_built_on: Callable[[str], bool]) -> str:
    base = theirs.removesuffix(DIRTY)
    if not base or not ours:
        return ""
    if base == ours.removesuffix(DIRTY):
        told = f"release {serving} came from files that differ from commit {base}: commit them, or deploy by hand"
        return told if theirs.endswith(DIRTY) and not ours.endswith(DIRTY) else ""
    if is_built_on(base):
        return ""
    return (
        f"release {serving} came from commit {base}, which {ours} here does not contain: a newer one, or another branch"
    )
