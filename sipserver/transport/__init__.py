"""The sockets that SIP runs over. They move bytes; what the bytes mean is `sipserver.useragent`'s business."""
