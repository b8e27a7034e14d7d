"""Recorded exchanges of upstream with its clients and its backend, replayed against the service."""
