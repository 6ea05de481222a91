"""Programs that only the tests need: found on this machine, or unpacked for it without being installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from slipway.paths import SOURCE_ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

UNPACKED = SOURCE_ROOT / ".slipway" / "tools"
"""The package prometheus would start a server here: its promtool is all that is wanted of it."""

DOWNLOAD_SECONDS = 300
"""Twenty megabytes; a mirror that needs longer is as good as none."""


def chromium() -> str | None:
    """The browser, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def promtool() -> str | None:
    """Prometheus' checker, or None."""
    return shutil.which("promtool") or shutil.which(str(UNPACKED / "usr/bin/promtool"))


def unpack_promtool() -> None:
    """Downloads the distribution's package and unpacks it under .slipway. Raises OSError, CalledProcessError."""
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _run("apt-get", "download", "prometheus", folder=folder)
        [package] = Path(folder).glob("prometheus_*.deb")
        _run("dpkg-deb", "-x", str(package), str(UNPACKED), folder=folder)


def _run(*words: str, folder: str) -> None:
    subprocess.run(words, cwd=folder, stdout=sys.stderr, check=True, timeout=DOWNLOAD_SECONDS)
