"""What is sent, as the outbox keeps it: JSON of the types in `model.messages`, and the files beside it.

The files of a message that must wait are kept in a folder of its own, `<data>/outbox/<number>/<position>/<name>`, whatever happens to where
they came from.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from signal_courier.model.messages import Deletion, Message, Poll, PollEnd, Reaction, Receipt, Sendable, Story, Typing, Vote
from signal_courier.model.recipients import parse_recipient

_LEFT_OVER: Final = 24 * 3600
"""Seconds for which the files of a message that reached nobody stay, so that it can be sent after all."""
_DATA_URI: Final = ".datauri"
"""Ends the name of a kept file that holds a `data:` URI (where signal-cli runs elsewhere)."""


class _Reaction(msgspec.Struct, kw_only=True):
    emoji: str
    author: str
    timestamp: int
    remove: bool = False
    story: bool = False


class _Vote(msgspec.Struct, kw_only=True):
    author: str
    timestamp: int
    choices: list[int]
    count: int = 1


_TYPES: Final[dict[str, type]] = {
    "message": Message,
    "edit": Message,
    "delete": Deletion,
    "reaction": _Reaction,
    "receipt": Receipt,
    "typing": Typing,
    "poll": Poll,
    "vote": _Vote,
    "poll_end": PollEnd,
    "story": Story,
}
_KINDS: Final[dict[type, str]] = {kind: name for name, kind in _TYPES.items() if name != "edit"} | {
    Reaction: "reaction",
    Vote: "vote",
}
_encode = msgspec.json.Encoder().encode


def kind_of(what: Sendable) -> str:
    """What it is, in a word."""
    if isinstance(what, Message):
        return "message" if what.edit_timestamp is None else "edit"
    return _KINDS[type(what)]


def target_in(what: Sendable) -> int | None:
    """The timestamp of the message that this changes; `None` where it is a message of its own, or no part of a history."""
    match what:
        case Message():
            return what.edit_timestamp
        case Deletion() | Reaction() | Vote() | PollEnd():
            return what.timestamp
    return None


def encode(what: Sendable) -> bytes:
    """JSON that `decode` understands."""
    if type(what) is Message:  # nearly always
        return _encode(what)
    match what:
        case Reaction():
            return _encode(
                _Reaction(emoji=what.emoji, author=str(what.author), timestamp=what.timestamp, remove=what.remove, story=what.story)
            )
        case Vote():
            return _encode(_Vote(author=str(what.author), timestamp=what.timestamp, choices=list(what.choices), count=what.count))
        case _:
            return _encode(what)


def decode(kind: str, content: bytes) -> Sendable:
    """What `encode` was given. Raises `msgspec.MsgspecError` or `InvalidValue` where another version wrote it."""
    what: object = msgspec.json.decode(content, type=_TYPES[kind])
    if isinstance(what, _Reaction):
        author = parse_recipient(what.author)
        return Reaction(emoji=what.emoji, author=author, timestamp=what.timestamp, remove=what.remove, story=what.story)
    if isinstance(what, _Vote):
        return Vote(author=parse_recipient(what.author), timestamp=what.timestamp, choices=what.choices, count=what.count)
    assert isinstance(what, Message | Deletion | Receipt | Typing | Poll | PollEnd | Story)
    return what


def files_of(what: Sendable) -> Sequence[str]:
    """Its files: paths and `data:` URIs."""
    match what:
        case Message(preview=preview):
            image = preview.image if preview is not None else None
            return (*what.attachments, image) if image is not None else what.attachments
        case Story():
            return (what.attachment,)
        case _:
            return ()


def with_files(what: Sendable, change: Callable[[str], str]) -> Sendable:
    """The same with every file replaced."""
    match what:
        case Message(preview=preview):
            if preview is not None and preview.image is not None:
                preview = msgspec.structs.replace(preview, image=change(preview.image))
            return msgspec.structs.replace(what, attachments=[change(file) for file in what.attachments], preview=preview)
        case Story():
            return msgspec.structs.replace(what, attachment=change(what.attachment))
        case _:
            return what


def named(what: Sendable) -> Sendable:
    """The same with files by their names, for people to see and for the history."""
    return with_files(what, _name) if files_of(what) else what


def _name(file: str) -> str:
    if file.startswith("data:"):
        return file[:256].partition("filename=")[2].partition(";")[0] or "file"
    return Path(file).name.removesuffix(_DATA_URI)


class KeptFiles:
    """The files of messages that wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, number: int, what: Sendable) -> Sendable:
        """Take over what a message needs; gives the message with the new places. Raises `OSError`."""
        return await asyncio.to_thread(self._keep, number, what) if files_of(what) else what

    async def handed_over(self, what: Sendable) -> Sendable:
        """The message as signal-cli is to get it. Raises `OSError`."""
        if not any(file.endswith(_DATA_URI) for file in files_of(what)):
            return what
        return await asyncio.to_thread(
            with_files, what, lambda file: Path(file).read_text(encoding="ascii") if file.endswith(_DATA_URI) else file
        )

    async def drop(self, number: int) -> None:
        """Remove the files of a message."""
        await asyncio.to_thread(shutil.rmtree, self._folder / str(number), ignore_errors=True)

    async def sweep(self, needed: frozenset[int]) -> None:
        """Remove what lies there for longer than a day and is of none of these messages."""
        await asyncio.to_thread(self._sweep, needed)

    def _keep(self, number: int, what: Sendable) -> Sendable:
        home = self._folder / str(number)
        if home.exists():
            shutil.rmtree(home)
        places = {file: str(_take(file, home / str(at))) for at, file in enumerate(files_of(what))}
        return with_files(what, places.__getitem__)

    def _sweep(self, needed: frozenset[int]) -> None:
        limit = time.time() - _LEFT_OVER
        for folder in self._folder.glob("*"):
            if not (folder.name.isdigit() and int(folder.name) in needed) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)


def _take(file: str, folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    if file.startswith("data:"):
        place = folder / f"{_name(file)}{_DATA_URI}"
        place.write_text(file, encoding="ascii")
        return place
    source = Path(file)
    place = folder / source.name
    try:
        os.link(source, place)  # what is staged, uploaded or received is never written to again
    except OSError:
        shutil.copyfile(source, place)
    return place
