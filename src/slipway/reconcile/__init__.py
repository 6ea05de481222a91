"""Reconciling: what hosts differ in from what was released to them, told apart, mended, and told."""
