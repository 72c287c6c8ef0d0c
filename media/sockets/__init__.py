"""Every call's RTP and RTCP sockets behind one face, read and written in batches once per tick."""

from media.sockets.face import NOT_TIMED, PACKET_BYTES, Address, PortsExhausted, Received, Sockets, source_key

__all__ = ["NOT_TIMED", "PACKET_BYTES", "Address", "PortsExhausted", "Received", "Sockets", "source_key"]
