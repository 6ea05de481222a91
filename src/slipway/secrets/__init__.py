"""Secrets: named in data, read from one source per inventory, never printed.

`value` is the type, `versions` what a rotation leaves in a source, `reading` the secrets of one inventory, `sources`
where they are read from, `age` encryption at rest, `document` the text that files hold, `store` how they are written.
"""

from slipway.secrets.reading import PLACEHOLDERS, SecretMissing, Secrets, SourceUnreadable, Unusable
from slipway.secrets.sources import open_source
from slipway.secrets.value import Sealed, Secret
from slipway.secrets.versions import Versions

__all__ = [
    "PLACEHOLDERS",
    "Sealed",
    "Secret",
    "SecretMissing",
    "Secrets",
    "SourceUnreadable",
    "Unusable",
    "Versions",
    "open_source",
]
