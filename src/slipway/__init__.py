"""Slipway: from bare hosts to a running, verified application stack."""

__version__ = "0.1.0"
