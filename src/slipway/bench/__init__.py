"""Side by side on the same hosts: the floor, Slipway, stock pyinfra, Ansible, Ansible with Mitogen.

What is wanted of a host is written once (`resources`) and put into each contestant's own words (`in_slipway`,
`in_pyinfra`, `in_ansible`). `series` runs them in turns, `state` looks at the hosts themselves afterwards.
"""
