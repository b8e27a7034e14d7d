"""The Signal network: its clock, its people, and the way of an envelope from one to another."""

import asyncio
import heapq
import math
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from signal_courier.engine.base import EnvelopeSink, Json
from signal_courier.engine.errors import EngineUnavailable
from signal_courier.engine.simulator import cast
from signal_courier.engine.simulator.files import Files
from signal_courier.engine.simulator.mailbox import Mailbox
from signal_courier.engine.simulator.refusals import user_error
from signal_courier.engine.simulator.state import Account, Call, Contact, Group, Identity, Person, Trust, World, load, save

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NO_DIGIT = re.compile(rb"[^A-Za-z0-9+/]")
_GROUP_ID_SIZES = (16, 32)
"""Bytes of a group's id: of the old groups, and of today's."""
_GONE = "The simulator has stopped"
_SAVE_DELAY = 0.2
"""Seconds that changes are collected before they are written."""


class Network:
    """The network in memory.

    `speed` is how many times faster than people its people are; `math.inf` answers as soon as the event loop turns.
    """

    def __init__(self, folder: Path, config_dir: Path, *, speed: float = 1.0) -> None:
        self.files = Files(folder / "cdn", config_dir)
        self.mailbox = Mailbox(folder / "waiting.jsonl")
        self._path = folder / "state.json"
        found = load(self._path)
        self.world: World = found or cast.first_world()
        self._dirty = found is None
        self._speed = speed
        self.sink: EnvelopeSink | None = None
        """Who takes the envelopes; `None`: they wait."""
        self.codes: dict[str, None] = {}
        """Link codes that were made and not waited for yet, oldest first."""
        self._scans: dict[str, asyncio.Future[None]] = {}
        """Who waits until a phone has scanned a code."""
        self.calls: dict[tuple[str, int], Call] = {}
        """Both ends of every call, by account uuid and call id."""
        self.subscriptions = 0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._saver: asyncio.TimerHandle | None = None
        self._waits: set[asyncio.Future[None]] = set()
        self._ended = False
        self._settled = asyncio.Event()
        self._settled.set()
        self._seed_files()

    # --- time ---------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """A timestamp for a message, ms: later than every one before.

        Raises:
            EngineUnavailable: the network has ended, nothing can be sent any more.
        """
        if self._ended:
            raise EngineUnavailable(_GONE)
        self.world.last_timestamp = max(self.world.last_timestamp + 1, time.time_ns() // 1_000_000)
        self.changed()
        return self.world.last_timestamp

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen later; what is planned for the same moment happens in the order of planning."""
        delay = 0.0 if math.isinf(self._speed) else seconds / self._speed
        loop = asyncio.get_running_loop()
        self._planned += 1
        heapq.heappush(self._plans, (loop.time() + delay, self._planned, act))
        self._settled.clear()
        self._arm()

    async def scanned(self, code: str, seconds: float) -> None:
        """Wait until a phone has scanned a code: when one is told to (`scan`), else after some seconds.

        Raises:
            EngineUnavailable: the network ended meanwhile.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._scans[code] = done
        try:
            await self.pass_time(seconds, done)
        finally:
            del self._scans[code]

    def awaits_scan(self, code: str) -> bool:
        """Whether somebody waits here for a phone to scan this code."""
        return code in self._scans

    def scan(self, code: str) -> None:
        """Let a phone scan a code that is waited for."""
        if not self._scans[code].done():
            self._scans[code].set_result(None)

    async def pass_time(self, seconds: float, done: asyncio.Future[None] | None = None) -> None:
        """Wait for something that people do, not longer than until `done`.

        Raises:
            EngineUnavailable: the network ended meanwhile.
        """
        if self._ended:
            raise EngineUnavailable(_GONE)
        if done is None:
            done = asyncio.get_running_loop().create_future()
        self._waits.add(done)
        self.after(seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            self._waits.discard(done)

    async def settled(self) -> None:
        """Wait until nobody on the network is about to do anything."""
        await self._settled.wait()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        wait = self._plans[0][0] - loop.time()
        self._timer = loop.call_soon(self._act) if wait <= 0 else loop.call_later(wait, self._act)

    def _act(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        try:
            while self._plans and self._plans[0][0] <= now:
                heapq.heappop(self._plans)[2]()
        finally:
            if self._plans:
                self._arm()
            else:
                self._settled.set()

    # --- begin and end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End: what is on its way waits in the mailbox, who waits is told, everything is on disk."""
        self.sink = None
        for waiting in self._waits:
            if not waiting.done():
                waiting.set_exception(EngineUnavailable(_GONE))
        while self._plans:
            heapq.heappop(self._plans)[2]()
        for timer in (self._timer, self._saver):
            if timer is not None:
                timer.cancel()
        self._timer = self._saver = None
        self._ended = True
        self._settled.set()
        self.write(durable=True)

    def changed(self) -> None:
        """Note that the world has to be written."""
        self._dirty = True
        if self._saver is None:
            self._saver = asyncio.get_running_loop().call_later(_SAVE_DELAY, self.write)

    def write(self, *, durable: bool = False) -> None:
        """Write the world now, if it has changed; `durable`: so that it outlives a loss of power."""
        self._saver = None
        if self._dirty:
            save(self.world, self._path, durable=durable)
            self._dirty = False

    def _seed_files(self) -> None:
        for person in self.world.people.values():
            if person.has_avatar and not self.files.has_avatar("profile", person.address):
                self.files.put_avatar("profile", person.address, cast.PIXEL)
        for group in self.world.groups.values():
            if group.has_avatar and not self.files.has_avatar("group", group.id):
                self.files.put_avatar("group", group.id, cast.PIXEL)

    # --- people -------------------------------------------------------------------------------------------------------

    def person(self, uuid: str) -> Person:
        """A person by uuid; a stranger for a uuid that nobody has."""
        return self.world.people.get(uuid) or Person(uuid=uuid, number=None, registered=False)

    def owner(self, account: Account) -> Person:
        """The person who has this account."""
        return self.world.people[account.uuid]

    def recipient(self, account: Account, text: str) -> Person:
        """Whom a recipient string means; an unregistered stranger if nobody.

        Raises:
            Refusal: the text is no recipient.
        """
        if _UUID.fullmatch(text):
            return self.person(text.lower())
        if text.startswith("PNI:"):
            if not _UUID.fullmatch(text[4:]):
                raise user_error(f"Invalid phone number '{text}': Invalid PNI")
            return self.person(text[4:].lower())
        if text.startswith("u:"):
            return self.by_username(text[2:])
        number = _normalised(text, account.number)
        for person in self.world.people.values():
            if person.number == number:
                return person
        return Person(uuid="", number=number, registered=False)

    def by_username(self, username: str) -> Person:
        """Whom a username (or its link) means."""
        for person in self.world.people.values():
            if person.username == username:
                return person
        for account in self.world.accounts.values():
            if account.username_link is not None and account.username_link == username:
                return self.owner(account)
        return Person(uuid="", number=None, username=username, registered=False)

    def known(self, account: Account, text: str) -> Person:
        """As `recipient`, but it must be somebody.

        Raises:
            Refusal: the text is no recipient, or the person is not registered.
        """
        person = self.recipient(account, text)
        if not person.uuid:
            raise user_error(f"The user {person.number or person.username} is not registered.")
        return person

    def contact(self, account: Account, person: Person) -> Contact:
        """What the account noted about a person; it is noted now if it was not."""
        return account.contacts.setdefault(person.uuid, Contact(listed=False))

    def identity(self, account: Account, person: Person) -> Identity:
        """The identity as the account knows it; a first one is trusted, a changed one is not."""
        known = account.identities.get(person.uuid)
        if known is None or known.key != person.key:
            trust = Trust.TRUSTED_UNVERIFIED if known is None else Trust.UNTRUSTED
            known = account.identities[person.uuid] = Identity(key=person.key, trust=trust, added=time.time_ns() // 1_000_000)
            self.changed()
        return known

    def group(self, group_id: str) -> Group:
        """A group by its id.

        Raises:
            Refusal: there is none, or the id is not base64.
        """
        group = self.world.groups.get(checked_group_id(group_id))
        if group is None:
            raise user_error(f"Group not found: {group_id}")
        return group

    # --- envelopes ----------------------------------------------------------------------------------------------------

    def post(self, sender: Person, receiver: Account, timestamp: int, content: Mapping[str, Json], *, device: int = 1) -> None:
        """Report an envelope to an own account; what a blocked person sends is dropped, as signal-cli does.

        `content` is the one member that says what kind of message it is, `{"dataMessage": …}` for example.
        """
        known = receiver.contacts.get(sender.uuid)
        if not receiver.loaded or (known is not None and known.blocked) or _group_of(content) in receiver.blocked_groups:
            return
        arrived = max(timestamp, time.time_ns() // 1_000_000)
        envelope: dict[str, Json] = {
            "source": sender.address,
            "sourceNumber": sender.number,
            "sourceUuid": sender.uuid,
            "sourceName": (known.name if known is not None else "") or sender.name,
            "sourceDevice": device,
            "timestamp": timestamp,
            "serverReceivedTimestamp": arrived,
            "serverDeliveredTimestamp": arrived,
        }
        if sender.uuid != receiver.uuid and self.identity(receiver, sender).trust is Trust.UNTRUSTED:
            failure = {"message": f"Untrusted identity: {sender.uuid}", "type": "UntrustedIdentityException"}
            self.inject({"exception": failure, "envelope": envelope, "account": receiver.number})
            whole = {"envelope": envelope | dict(content), "account": receiver.number}
            receiver.held.setdefault(sender.uuid, []).append(msgspec.json.encode(whole).decode())
            self.changed()
            return
        self.inject({"envelope": envelope | dict(content), "account": receiver.number})

    def inject(self, frame: Mapping[str, Json] | bytes) -> None:
        """Report a ready `{"envelope", "account"}`: to the sink, or to the mailbox while nobody listens."""
        raw = frame if isinstance(frame, bytes) else msgspec.json.encode(frame)
        if self.sink is None:
            self.mailbox.put(raw)
        else:
            self.sink(raw)

    def release(self, receiver: Account, sender_uuid: str) -> None:
        """Report what was held back until the sender's safety number is trusted."""
        for frame in receiver.held.pop(sender_uuid, []):
            self.after(0, partial(self.inject, frame.encode()))

    def listen(self, sink: EnvelopeSink) -> None:
        """Hand envelopes to `sink` from now on, first those that wait."""
        self.mailbox.hand_over(sink)
        self.sink = sink


def checked_group_id(group_id: str) -> str:
    """The id itself.

    Raises:
        Refusal: it is not the base64 of a group's id, as Java reads that.
    """
    reason, size = _decoded(group_id.encode("latin-1", "replace"))
    if reason is None and size not in _GROUP_ID_SIZES:
        reason = f"Invalid group id of size {size}"
    if reason is not None:
        raise user_error(f'Invalid group id: Failed to decode groupId (must be base64) "{group_id}": {reason}')
    return group_id


def _decoded(text: bytes) -> tuple[str | None, int]:
    """What Java's decoder has against it, and of how many bytes it is. Padding may be missing, but not be wrong."""
    if len(text) == 1:
        return "Input byte[] should at least have 2 bytes for base64 bytes", 0
    digits = text.rstrip(b"=")
    if illegal := _NO_DIGIT.search(digits):
        [byte] = illegal[0]
        return f"Illegal base64 character {byte - 256 if byte > 127 else byte:x}", 0
    padding, left = len(text) - len(digits), len(digits) % 4
    if left == 1:
        return "Input byte array has wrong 4-byte ending unit" if padding else "Last unit does not have enough valid bits", 0
    if padding and padding != (4 - left) % 4:
        return "Input byte array has wrong 4-byte ending unit", 0
    return None, len(digits) * 3 // 4


def _group_of(content: Mapping[str, Json]) -> Json:
    for message in content.values():
        if isinstance(message, Mapping) and isinstance(info := message.get("groupInfo", message), Mapping):
            return info.get("groupId")
    return None


def _normalised(text: str, own: str) -> str:
    """E.164 as signal-cli makes it without knowing the country: missing digits are taken from the own number."""
    if "@" in text:
        raise user_error(f"Invalid phone number '{text}': Possible attempt to use email address.")
    digits = re.sub(r"[^0-9+]", "", text)
    if not digits:
        raise user_error(f"Invalid phone number '{text}': No valid characters found.")
    if digits.startswith("+"):
        return digits
    if digits.startswith("00"):
        return "+" + digits[2:]
    if digits.startswith("0"):
        return own[:3] + digits[1:]
    missing = len(own) - 1 - len(digits)
    return "+" + own[1 : 1 + max(0, missing)] + digits
