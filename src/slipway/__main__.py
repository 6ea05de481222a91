"""`python -m slipway`: the same as ./slipway."""

from slipway.cli import main

main()
