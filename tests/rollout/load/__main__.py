"""The process of the load: what is wanted comes as JSON; ends at the first word on standard input, or at its end."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.rollout.load.clients import run
from tests.rollout.load.seen import Seen
from tests.rollout.load.wanted import Edge, Wanted


async def _run(wanted: Wanted) -> Seen:
    stop = asyncio.Event()
    # Readable at a word, and at the end: who started this may have been killed.
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    seen = await run(wanted, stop, ready=lambda: print("ready", flush=True))
    asyncio.get_running_loop().remove_reader(sys.stdin)
    return seen


def main(text: str) -> None:
    given = json.loads(text)
    given["edges"] = tuple(Edge(**edge) for edge in given["edges"])
    print(json.dumps(asyncio.run(_run(Wanted(**given))).as_json()))


main(sys.argv[1])
