"""Which texts an automation waits for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

ANY_COMMAND = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """What a text must be like. Case makes no difference, except in `pattern`, which says itself whether it does (`(?i)`)."""

    equals: Sequence[str] = ()
    contains: Sequence[str] = ()
    starts_with: Sequence[str] = ()
    pattern: re.Pattern[str] | None = None
    """Found anywhere in the text."""
    commands: Sequence[str] = ()
    """The first word; `/` is any word that begins with a slash."""

    def match(self, text: str | None) -> dict[str, object] | None:
        """What the text gives to an automation (command and arguments, groups of the pattern); `None` where it does not match.

        Every kind of condition that is set must hold; of several values of one kind, one is enough.
        """
        found: dict[str, object] = {}
        plain = (text or "").strip()
        folded = plain.casefold()
        if self.equals and folded not in {one.strip().casefold() for one in self.equals}:
            return None
        if self.contains and not any(one.casefold() in folded for one in self.contains):
            return None
        if self.starts_with and not any(folded.startswith(one.casefold()) for one in self.starts_with):
            return None
        if self.pattern is not None:
            if (hit := self.pattern.search(text or "")) is None:
                return None
            found["match"] = hit.group()
            found["groups"] = list(hit.groups())
            found["named_groups"] = hit.groupdict()
        if self.commands:
            if (command := _command_in(plain, self.commands)) is None:
                return None
            found["command"], found["args"] = command.word, list(command.args)
        return found


@dataclass(frozen=True, slots=True)
class _Command:
    word: str
    args: Sequence[str] = field(default_factory=tuple)


def _command_in(text: str, wanted: Sequence[str]) -> _Command | None:
    word, *args = text.split() or [""]
    if not word.startswith("/") or word == "/":
        return None
    folded = word.casefold()
    for one in wanted:
        command = slashed(one).casefold()
        if command in (ANY_COMMAND, folded):
            return _Command(folded, args)
    return None


def slashed(command: str) -> str:
    """A command as it is written in a message: with its slash, and without what follows."""
    words = command.split()
    return "/" + (words[0].lstrip("/") if words else "")
