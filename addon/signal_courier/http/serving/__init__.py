"""Connections: listeners, limits, and the way of a request to its handler."""
