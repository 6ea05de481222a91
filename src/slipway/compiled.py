"""What the project's templates compile to, kept from one run to the next: a sixth of what reading a project takes."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path

from jinja2.bccache import Bucket, BytecodeCache

import slipway
from slipway import own_files


class Compiled(BytecodeCache):
    """One file for each template, which says what text it was made of. One that is damaged is made again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load_bytecode(self, bucket: Bucket) -> None:
        """Leaves the bucket empty where nothing good is there."""
        said = own_files.read(self._path(bucket)) or b""
        digest, code = said[:32], said[32:]
        if code and digest == sha256(code).digest():
            bucket.load_bytecode(BytesIO(code))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Nothing where it cannot be written."""
        into = BytesIO()
        bucket.write_bytecode(into)
        code = into.getvalue()
        own_files.write(self._path(bucket), sha256(code).digest() + code)

    def _path(self, bucket: Bucket) -> Path:
        # Another Slipway may compile the same text to something else.
        return self._directory / f"{slipway.__version__}-{bucket.key}"
