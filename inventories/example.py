"""An annotated production inventory: copy it to inventories/production.py and put your hosts in.

Hosts and groups, nothing else: what differs for this fleet stands in group_data/production.py (the group of the same
name as this file), what differs for a role's hosts in group_data/<group>.py, what differs for one host beside it here.
Check it without connecting anywhere:  ./slipway validate production
"""

# The order in which hosts are written is the order in which rollouts take them: the first one is the first to get a
# release, and the one that runs what must run once (migrations, a singleton).
#
# `address` is the host's private address: services bind to it, and other hosts reach it there. The name is what SSH
# connects to, unless `ssh_hostname` says otherwise. Everything that pyinfra's SSH connector knows may stand here too:
# ssh_port, ssh_user, ssh_key, ssh_known_hosts_file, ssh_config_file. Host keys are checked strictly: put them into
# known_hosts first (ssh-keyscan, and compare the fingerprints with what your provider shows).

# What every host here has in common. `_sudo` makes root of the login user, without a password prompt.
_login = {"ssh_user": "ops", "_sudo": True}

# The edges: nginx in front of the application. Two, so that one can be taken out.
nginx = [
    ("edge1.example.com", {"address": "10.0.0.11", **_login}),
    ("edge2.example.com", {"address": "10.0.0.12", **_login}),
]

# The hosts that run the application's containers. A service of the Compose file names another group with
# `x-slipway: {group: ...}`; deploy.py then brings the roles docker and app to that group as well.
workers = [
    ("worker1.example.com", {"address": "10.0.0.21", **_login}),
    ("worker2.example.com", {"address": "10.0.0.22", **_login}),
    ("worker3.example.com", {"address": "10.0.0.23", **_login}),
]

# The data services, natively on their own hosts. Their data comes from the Compose file's `postgres` and `redis`
# services; group_data/postgres.py and group_data/redis.py add what differs.
postgres = [("db1.example.com", {"address": "10.0.0.31", **_login})]
redis = [("cache1.example.com", {"address": "10.0.0.41", **_login})]
