"""Dialogue engines: the script engine, and any OpenAI-compatible language model."""
