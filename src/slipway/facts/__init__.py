"""Facts that these operations read: one remote command each, no side effects, exit 0 unless the host is broken."""
