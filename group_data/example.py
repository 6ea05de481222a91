"""What differs for the fleet of inventories/example.py. A group of the inventory's own name covers all its hosts."""

# Where secrets are read: age:PATH (encrypted, in git), file:PATH (YAML, mode 0600, not in git), env:PREFIX, or
# command:WORDS with {name}, as command:pass show slipway/{name}. For an encrypted one: ./slipway secrets init example;
# docs/secrets.md.
secrets = "env:SLIPWAY_SECRET_"

# Variables of the Compose file's ${...}.
variables = {}

# How the timer's reconciles are watched (docs/reconcile.md): metrics for Prometheus, and whom they tell. `notify` and
# `heartbeat` are names of secrets: what they hold are addresses.
# reconcile = {"metrics": "/var/lib/prometheus/node-exporter", "notify": ["ops_chat"], "heartbeat": "ops_heartbeat"}
