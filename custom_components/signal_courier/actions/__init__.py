"""The actions, by topic. Each is declared where it is done (see `action`); `services` registers them all."""

from . import account, asking, groups, messages, people, polls, reading
from .action import ACTIONS

__all__ = ["ACTIONS", "account", "asking", "groups", "messages", "people", "polls", "reading"]
