"""Pull mode: a host that converges itself, and takes turns with the others through a lease. docs/pull.md."""


class NoTurn(Exception):
    """This host gets no turn now. Says why, and what ends that; nothing was changed."""


class LeaseOver(Exception):
    """The lease is not held any more, or nobody can tell. Nothing further is begun."""
