"""What SIP went over the wire, for whoever looks into a call: kept, shown, exported, always without credentials."""
