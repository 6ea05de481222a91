"""What is found of hosts before anything is changed on them. Pure: `slipway.facts.preflight` has looked."""
