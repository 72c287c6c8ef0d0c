"""The agent's mind: one conversation per call, and the engines it listens, thinks and speaks with."""
