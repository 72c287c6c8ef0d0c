"""The parts of a node, each built from the settings and what it stands on: `sipserver.server` starts them in order."""
