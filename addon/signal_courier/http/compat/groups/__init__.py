"""`/v1/groups`: an account's groups."""

from signal_courier.http.compat.groups import changing, membership, people, pins, reading

TABLES = (reading.routes, changing.routes, membership.routes, people.routes, pins.routes)
"""The routes of groups, in the order of the documentation."""
