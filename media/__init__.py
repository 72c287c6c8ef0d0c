"""The media plane: RTP packets in, frames of all calls as rows of numpy arrays, packets out, every 20 ms."""
