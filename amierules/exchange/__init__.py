"""Packets exchanged with the REST API of remote sites."""
