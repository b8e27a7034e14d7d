"""Who is asking, and what they may do."""

from typing import Literal

import msgspec

from signal_courier.access.scopes import Scope
from signal_courier.model.dialects import Dialect
from signal_courier.model.recipients import Recipient

type CallerKind = Literal["token", "loopback", "ingress", "open"]

EVERY_SCOPE = frozenset(Scope)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was let in. Made once a token (or kind of trust), shared by all its requests."""

    name: str
    """For people: the token's name, or the kind."""
    kind: CallerKind
    scopes: frozenset[Scope]
    accounts: frozenset[str] | None = None
    """Numbers (`+49…`) of the accounts that may be used; `None` = all, those to come too."""
    recipients: frozenset[str] | None = None
    """Who may be written to, as `str` of a `Recipient`; `None` = everybody."""
    dialect: Dialect | None = None
    """The dialect of this caller's answers; `None` = the service's."""
    token_id: str | None = None

    def may(self, scope: Scope | None) -> bool:
        """Whether a route that asks for this scope is allowed."""
        return scope is None or scope in self.scopes

    def may_use(self, account: str) -> bool:
        """Whether an account may be used, by its number as signal-cli spells it."""
        return self.accounts is None or account in self.accounts

    def may_reach(self, recipient: Recipient) -> bool:
        """Whether somebody may be written to."""
        return self.recipients is None or str(recipient) in self.recipients


LOOPBACK = Caller(name="loopback", kind="loopback", scopes=EVERY_SCOPE)
"""A program on this machine."""
INGRESS = Caller(name="ingress", kind="ingress", scopes=EVERY_SCOPE)
"""A person whom Home Assistant has let in."""
OPEN = Caller(name="open", kind="open", scopes=EVERY_SCOPE)
"""Anybody on the network, where the owner wants it so; drop-in routes only."""
PROMETHEUS = Caller(name="open", kind="open", scopes=frozenset())
"""Anybody on the network, where the owner lets everybody read the metrics; those only."""
