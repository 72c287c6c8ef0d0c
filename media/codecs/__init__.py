"""The codecs of the line, each for all calls at once."""
