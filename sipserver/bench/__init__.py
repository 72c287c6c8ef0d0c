"""`antiphon bench sip`: how many calls the signalling sets up and takes down, with SIPp on the other end."""
