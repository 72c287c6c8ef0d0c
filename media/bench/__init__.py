"""What the media plane costs and how exact it is: `antiphon bench media`, and the parts of it that other benches use."""
