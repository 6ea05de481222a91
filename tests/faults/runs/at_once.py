"""Several controllers that begin at the same moment: `python -m tests.faults.runs.at_once NUMBER FOLDER`.

They are forked from one process that has everything imported: started one by one, the first would have the lock before
the last had read its modules. FOLDER gets what each one says; when all are done, their exit codes and pids are printed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from slipway.cli import main
from slipway.cli.deploy import deploy  # noqa: F401 - imported before the fork, not after


def _one(number: int, folder: Path) -> None:
    said = os.open(folder / f"{number}.txt", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = 1
    try:
        main(["deploy", "all"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(count: int, folder: Path) -> list[tuple[int, int]]:
    """The pid and exit code of each, in the order in which they were started."""
    pids = []
    for number in range(count):
        pid = os.fork()
        if not pid:
            _one(number, folder)
        pids.append(pid)
    return [(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) for pid in pids]


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), Path(sys.argv[2]))))
