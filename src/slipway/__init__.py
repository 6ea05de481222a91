"""Slipway: from bare hosts to a running, verified application stack."""
