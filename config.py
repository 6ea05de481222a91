"""pyinfra reads this before the inventory: it loads Slipway's engine into plain `pyinfra INVENTORY deploy.py`."""

from slipway.seam.cli import take_over

take_over()
