"""What watches the reconciles: metrics, messages on change, a heartbeat, drills. Nothing of it can fail a run."""
