"""What differs for the fleet of inventories/example.py. A group of the inventory's own name covers all its hosts."""

# Where secrets are read: file:PATH (YAML, mode 0600, not in git), env:PREFIX, or command:WORDS with {name}, for example
# command:pass show slipway/{name}
secrets = "env:SLIPWAY_SECRET_"

# Variables of the Compose file's ${...}.
variables = {}
