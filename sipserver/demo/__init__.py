"""`antiphon demo`: a synthetic caller rings a real server on this machine, and everything it promises is checked."""
