"""Messages from one device to others."""

import uuid
from dataclasses import dataclass

from tests.e2e.lab import protobuf
from tests.e2e.lab.server.challenges import ChallengeDesk
from tests.e2e.lab.server.network import Account, Device, Network, decode_base64, encode_base64, now_ms
from tests.e2e.lab.server.requests import Answer, CamelStruct, Refused, Request, Routes
from tests.e2e.lab.server.sealed import CertificateIssuer

RECEIPT, SEALED = 5, 6
"""Envelope types: the server's own delivery receipt, and sealed sender."""


class OutgoingMessage(CamelStruct, kw_only=True):
    """One ciphertext for one device."""

    type: int
    destination_device_id: int
    destination_registration_id: int
    content: str


class OutgoingMessages(CamelStruct, kw_only=True):
    """Body of `PUT /v1/messages/{destination}`."""

    messages: list[OutgoingMessage]
    timestamp: int
    online: bool = False
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an envelope names; nobody when it is sealed."""

    service_id: str
    device_id: int


@dataclass(frozen=True, slots=True)
class _Letter:
    """An envelope on its way to a mailbox."""

    device: Device
    guid: str
    content: bytes
    only_if_connected: bool


def envelope(
    kind: int,
    destination: str,
    timestamp: int,
    *,
    guid: str,
    content: bytes | None = None,
    sender: Sender | None = None,
    urgent: bool = True,
    story: bool = False,
    ephemeral: bool = False,
) -> bytes:
    """An Envelope of Signal's websocket (timestamps in ms since epoch)."""
    return protobuf.message(
        (1, kind),
        (11, sender.service_id if sender else None),
        (7, sender.device_id if sender else None),
        (13, destination),
        (5, timestamp),
        (8, content or None),
        (9, guid),
        (10, now_ms()),
        (14, urgent),
        (16, True if story else None),
        (12, True if ephemeral else None),
    )


class Post:
    """Takes messages and puts them into mailboxes."""

    def __init__(self, network: Network, issuer: CertificateIssuer) -> None:
        self._network = network
        self._issuer = issuer
        self._twice = False
        self._swapped = False
        self._held: dict[int, _Letter] = {}
        """By device: what waits for the next one to come before it."""

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("PUT", "/v1/messages/multi_recipient", self._many)
        routes.add("PUT", "/v1/messages/{destination}", self._one)
        routes.add("GET", "/v1/certificate/delivery", self._certificate)

    async def deliver_receipts(self, account: Account, sender: Account, timestamps: list[int]) -> None:
        """Puts the server's receipts for messages of `timestamps` into the mailboxes of `account`: envelopes without encryption."""
        for timestamp in timestamps:
            for device in list(account.devices.values()):
                guid = str(uuid.uuid4())
                await self._deliver(device, guid, envelope(RECEIPT, account.aci, timestamp, guid=guid, sender=Sender(sender.aci, 1)))

    async def push(self, account: Account, kind: int, content: bytes, sender: Sender | None, timestamp: int) -> None:
        """Puts an envelope with any content into the mailboxes of `account`."""
        for device in list(account.devices.values()):
            guid = str(uuid.uuid4())
            await self._deliver(device, guid, envelope(kind, account.aci, timestamp, guid=guid, content=content, sender=sender))

    async def disturb(self, *, twice: bool, swapped: bool) -> None:
        """From now on every envelope comes twice, or after the one behind it; what was held back comes now."""
        self._twice, self._swapped = twice, swapped
        held, self._held = self._held, {}
        for letter in held.values():
            await self._hand_over(letter)

    async def _deliver(self, device: Device, guid: str, content: bytes, *, only_if_connected: bool = False) -> None:
        letter = _Letter(device, guid, content, only_if_connected)
        if self._swapped:
            earlier = self._held.pop(id(device), None)
            if earlier is None:
                self._held[id(device)] = letter
                return
            await self._hand_over(letter)
            letter = earlier
        await self._hand_over(letter)

    async def _hand_over(self, letter: _Letter) -> None:
        for again in range(1 + self._twice):
            guid = f"{letter.guid}-{again}" if again else letter.guid
            await letter.device.mailbox.deliver(guid, letter.content, only_if_connected=letter.only_if_connected)

    async def _one(self, request: Request) -> Answer:
        caller = request.caller
        self._check_proof(request)
        destination = request.parameters["destination"]
        found = self._network.by_service_id(destination)
        if found is None:
            return Answer(404)
        account, kind = found
        body = request.decode(OutgoingMessages)
        own_device = caller.device.id if caller is not None and caller.account is account else None
        wanted = {device for device in account.devices if device != own_device}
        given = {message.destination_device_id for message in body.messages}
        if wanted != given and not body.online:
            return Answer(409, {"missingDevices": sorted(wanted - given), "extraDevices": sorted(given - wanted)})
        stale = [
            message.destination_device_id
            for message in body.messages
            if message.destination_device_id in account.devices
            and message.destination_registration_id != account.devices[message.destination_device_id].registration_ids[kind]
        ]
        if stale:
            return Answer(410, {"staleDevices": stale})
        sender = None if caller is None else Sender(caller.account.aci, caller.device.id)
        for message in body.messages:
            device = account.devices.get(message.destination_device_id)
            if device is None:
                continue
            guid = str(uuid.uuid4())
            await self._deliver(
                device,
                guid,
                envelope(
                    message.type,
                    destination,
                    body.timestamp,
                    guid=guid,
                    content=decode_base64(message.content),
                    sender=sender,
                    urgent=body.urgent,
                    story=request.query.get("story") == "true",
                    ephemeral=body.online,
                ),
                only_if_connected=body.online,
            )
        needs_sync = caller is not None and len(caller.account.devices) > 1 and caller.account is not account
        return Answer(200, {"needsSync": needs_sync})

    async def _many(self, request: Request) -> Answer:
        self._check_proof(request)
        recipients, shared = _split_multi_recipient(request.body)
        mismatched = []
        for recipient in recipients:
            account = self._network.by_aci(recipient.aci)
            if account is not None and set(account.devices) != set(recipient.devices):
                missing, extra = set(account.devices) - set(recipient.devices), set(recipient.devices) - set(account.devices)
                mismatched.append({"uuid": account.aci, "devices": {"missingDevices": sorted(missing), "extraDevices": sorted(extra)}})
        if mismatched:
            return Answer(409, mismatched)
        unknown = []
        for recipient in recipients:
            account = self._network.by_aci(recipient.aci)
            if account is None:
                unknown.append(recipient.aci)
                continue
            for device_id in recipient.devices:
                guid = str(uuid.uuid4())
                await self._deliver(
                    account.devices[device_id],
                    guid,
                    envelope(
                        SEALED,
                        account.aci,
                        int(request.query["ts"]),
                        guid=guid,
                        content=b"\x22" + recipient.key + shared,
                        urgent=request.query.get("urgent", "true") == "true",
                        story=request.query.get("story") == "true",
                    ),
                )
        return Answer(200, {"uuids404": unknown})

    def _check_proof(self, request: Request) -> None:
        """Refuses who owes a proof; while anybody does, sealed messages must show their sender (clients then send them openly)."""
        if request.caller is not None:
            ChallengeDesk.check(request.caller.account)
        elif any(account.proof_wanted is not None for account in self._network):
            raise Refused(Answer(401))

    async def _certificate(self, request: Request) -> Answer:
        caller = request.sender
        account = caller.account
        number = None if request.query.get("includeE164") == "false" else account.number
        identity = decode_base64(account.identity_keys["aci"])
        return Answer(200, {"certificate": encode_base64(self._issuer.issue(account.aci, caller.device.id, identity, number))})


@dataclass(frozen=True, slots=True)
class _SealedRecipient:
    aci: str
    devices: list[int]
    key: bytes
    """Encrypted message key and authentication tag, 48 bytes."""


def _split_multi_recipient(body: bytes) -> tuple[list[_SealedRecipient], bytes]:
    """Recipients and shared part of a sealed-sender v2 message for many.

    The format (libsignal, `sealed_sender.rs`): version, varint count, and for each recipient 17 bytes service id, devices (id, two bytes
    registration id whose highest bit says that another one follows), 48 bytes of its own; then what all share.
    """
    position, count, shift = 1, 0, 0
    while True:
        byte = body[position]
        position += 1
        count |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    recipients = []
    for _ in range(count):
        aci = str(uuid.UUID(bytes=body[position + 1 : position + 17]))
        position += 17
        if body[position] == 0:  # an excluded recipient has no devices and no key
            position += 1
            continue
        devices = []
        more = True
        while more:
            devices.append(body[position])
            more = bool(body[position + 1] & 0x80)
            position += 3
        recipients.append(_SealedRecipient(aci, devices, body[position : position + 48]))
        position += 48
    return recipients, body[position:]
