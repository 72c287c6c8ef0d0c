"""Transfers: a caller is handed over to a person, by REFER or by a second leg that is bridged, or to another agent."""
