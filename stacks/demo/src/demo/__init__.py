"""The demo application of Slipway: an HTTP API, a WebSocket service, a queue worker and a scheduler."""
