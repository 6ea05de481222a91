"""The lab's container hosts (`slipway lab up`). In the order in which rollouts take them."""

from slipway.lab import inventory_group

nginx = inventory_group("nginx")  # edge1, edge2
workers = inventory_group("workers")  # worker1, worker2, worker3
postgres = inventory_group("postgres")  # db1
redis = inventory_group("redis")  # cache1
