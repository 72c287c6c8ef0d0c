"""Antiphon: a self-hosted telephone server whose calls are answered, and placed, by AI agents."""

__version__ = "0.1.0"
