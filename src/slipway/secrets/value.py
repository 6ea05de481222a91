"""A secret's value: shown by `reveal()` and by nothing else."""

from __future__ import annotations

import hashlib
import hmac
from typing import NoReturn, Self


class Secret:
    """A value that shows itself only to `reveal()`. Printing, formatting and comparing give nothing away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def fingerprint(self) -> str:
        """Tells two versions of a secret apart without telling either: keyed, so it cannot be looked up in a table."""
        return hmac.new(b"slipway secret version", self._value.encode(), hashlib.sha256).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return "Secret(********)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    # Without these a copy for a file or another process would carry the value: both are made from the slots.

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Sealed(Secret):
    """A version of a secret of which only the fingerprint is known: its value lies on hosts, and nobody reads it."""

    __slots__ = ()

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)

    def reveal(self) -> str:
        raise ValueError("a secret of a release on record has no value here")

    def fingerprint(self) -> str:
        return self._value
