"""Every role's `check_*` functions on every host that has the role, run by pytest with testinfra."""
