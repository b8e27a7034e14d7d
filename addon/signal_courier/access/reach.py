"""How a route sees to it that a token's lists of accounts and of recipients are kept."""

import enum


class Reach(enum.Enum):
    """What a route does about one of the two lists. What is not declared is closed to tokens that have the list."""

    UNLIMITED = "unlimited"
    """Nothing: only callers without that list may use the route."""
    CHECKED = "checked"
    """Its handler checks what the body or the query names, before anything is done (`Call.check_account`, `Call.check_recipients`)."""
    FREE = "free"
    """It concerns no account; it reaches nobody."""
