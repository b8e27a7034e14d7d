"""The few kinds of permission that a route can ask for."""

import enum


class Scope(enum.StrEnum):
    """What a caller must be allowed to do. Each route declares one; a route without any is open to everybody who may connect."""

    SEND = "send"
    RECEIVE = "receive"
    CONTACTS = "contacts"
    GROUPS = "groups"
    ACCOUNTS = "accounts"
    """Link, register, profile, devices, trust."""
    GATEWAY = "gateway"
    """Show a credential of the gateway; what that allows are scopes of its own."""
    ADMIN = "admin"
