"""A registry that answers with something else than the digest that was asked for: refused, and nothing is kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from slipway.images.registry import pull_words

pytestmark = pytest.mark.docker

CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
KIND = "application/vnd.docker.distribution.manifest.v2+json"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(config: bytes) -> bytes:
    told = {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": len(config),
        "digest": digest(config),
    }
    return json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": told, "layers": []}).encode()


MEANT, OTHER = manifest(CONFIG), manifest(CONFIG.replace(b"linux", b"plan9"))


class Liar(BaseHTTPRequestHandler):
    """Whatever manifest is asked for, it is another one; or the right one, and then its content is not."""

    lies_about = "manifest"

    def do_GET(self) -> None:
        self._answer(send=True)

    def do_HEAD(self) -> None:
        self._answer(send=False)

    def _answer(self, send: bool) -> None:
        body = b"{}"
        if "/manifests/" in self.path:
            body = OTHER if self.lies_about == "manifest" else MEANT
        elif "/blobs/" in self.path:
            body = CONFIG.replace(b"linux", b"plan9")
        self.send_response(200)
        self.send_header("Content-Type", KIND)
        self.send_header("Docker-Content-Digest", digest(MEANT))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send:
            self.wfile.write(body)

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[str]:
    """Its address, on loopback, where an engine asks for no TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("lie", ["manifest", "content"])
def test_what_is_not_the_digest_that_was_asked_for_is_refused(
    registry: str, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine says so, the digest is named, and no image is left of it."""
    monkeypatch.setattr(Liar, "lies_about", lie)
    pinned = f"{registry}/team/app@{digest(MEANT)}"
    done = subprocess.run(pull_words(pinned), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "verif" in done.stderr or "mismatch" in done.stderr or "did not match" in done.stderr, done.stderr
    kept = subprocess.run(["docker", "image", "inspect", pinned], capture_output=True, check=False)
    assert kept.returncode != 0
