"""The HTTP API, its store, its jobs and its webhooks."""
