"""The handle of a message: one word that names it, and that can be passed on to every action.

Signal names a message by its time and its author; to answer it, one also needs the conversation. Templates turn what looks like a number
into one (`+4915100000001` loses its plus), so a handle begins with a word: `signal:<time>:<author>:<conversation>`.
"""

from dataclasses import dataclass
from typing import Self, override

_PREFIX = "signal"


@dataclass(frozen=True, slots=True)
class MessageHandle:
    """A message, and where it is."""

    timestamp: int
    """Milliseconds since 1970."""
    author: str
    """UUID (number where none is known) of who wrote it."""
    conversation: str
    """UUID or number of a person, or `group.…`."""

    @override
    def __str__(self) -> str:
        return f"{_PREFIX}:{self.timestamp}:{self.author}:{self.conversation}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a handle. Raises `ValueError` where it is none."""
        parts = text.strip().split(":", 3)
        if len(parts) != 4 or parts[0] != _PREFIX or not all(parts):
            raise ValueError(f"'{text}' names no message")
        _, timestamp, author, conversation = parts
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise ValueError(f"'{text}' names no message")
        return cls(int(timestamp), author, conversation)
