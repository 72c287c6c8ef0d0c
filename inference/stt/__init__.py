"""Speech to text: the Protocol, and the engines that keep it."""
