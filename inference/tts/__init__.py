"""Text to speech: the Protocol, and the engines that keep it."""
