"""The frames in which signal-cli reports what it received, as types: its record classes `Json*.java`, 0.13.19 to 0.14.6.

Whatever is missing has a default; `engine.reports.envelopes` makes events of them.
"""

import msgspec


class Text(msgspec.Struct, rename="camel"):
    """A stretch of a text, in UTF-16 units."""

    start: int = 0
    length: int = 0


class Style(Text):
    """How a stretch of a text looks."""

    style: str = ""


class Mention(Text):
    """Somebody who is named in a text."""

    name: str | None = None
    number: str | None = None
    uuid: str | None = None


class Attachment(msgspec.Struct, rename="camel"):
    """A file, or a link to one."""

    id: str | None = None
    content_type: str | None = None
    filename: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    caption: str | None = None
    is_voice_note: bool | None = None


class QuotedAttachment(msgspec.Struct, rename="camel"):
    """A file of the message that is quoted."""

    content_type: str | None = None
    filename: str | None = None
    thumbnail: Attachment | None = None


class Quote(msgspec.Struct, rename="camel"):
    """The message that is answered."""

    id: int = 0
    author_number: str | None = None
    author_uuid: str | None = None
    text: str | None = None
    mentions: list[Mention] | None = None
    text_styles: list[Style] | None = None
    attachments: list[QuotedAttachment] | None = None


class Target(msgspec.Struct, rename="camel"):
    """Reactions, pins, unpins, admins' deletions."""

    target_author_number: str | None = None
    target_author_uuid: str | None = None
    target_sent_timestamp: int = 0


class Reaction(Target, rename="camel"):
    """An emoji given to a message."""

    emoji: str | None = None
    is_remove: bool = False


class Pin(Target, rename="camel"):
    """A message is pinned."""

    pin_duration_seconds: int | None = None


class RemoteDelete(msgspec.Struct):
    """A message is taken back."""

    timestamp: int = 0


class PollCreate(msgspec.Struct, rename="camel"):
    """A poll."""

    question: str | None = None
    allow_multiple: bool = False
    options: list[str] | None = None


class PollVote(msgspec.Struct, rename="camel"):
    """A vote in a poll."""

    author_number: str | None = None
    author_uuid: str | None = None
    target_sent_timestamp: int = 0
    option_indexes: list[int] | None = None
    vote_count: int = 0


class PollTerminate(msgspec.Struct, rename="camel"):
    """The end of a poll."""

    target_sent_timestamp: int = 0


class GroupInfo(msgspec.Struct, rename="camel"):
    """The group in which something is said."""

    group_id: str = ""
    group_name: str | None = None
    revision: int | None = None
    type: str | None = None


class StoryContext(msgspec.Struct, rename="camel"):
    """The story that is answered."""

    author_number: str | None = None
    author_uuid: str | None = None
    sent_timestamp: int = 0


class Preview(msgspec.Struct):
    """A link with its picture."""

    url: str | None = None
    title: str | None = None
    description: str | None = None
    image: Attachment | None = None


class Sticker(msgspec.Struct, rename="camel"):
    """A sticker."""

    pack_id: str = ""
    sticker_id: int = 0


class Payment(msgspec.Struct):
    """A payment."""

    note: str | None = None
    receipt: str | None = None


class CardName(msgspec.Struct):
    """A shared contact's name."""

    nickname: str | None = None
    given: str | None = None
    middle: str | None = None
    family: str | None = None


class CardValue(msgspec.Struct):
    """A shared contact's number or address."""

    value: str | None = None


class CardAddress(msgspec.Struct):
    """A shared contact's postal address."""

    street: str | None = None
    pobox: str | None = None
    neighborhood: str | None = None
    postcode: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None


class CardAvatar(msgspec.Struct):
    """A shared contact's picture."""

    attachment: Attachment | None = None


class Card(msgspec.Struct):
    """A shared contact."""

    name: CardName | None = None
    organization: str | None = None
    phone: list[CardValue] | None = None
    email: list[CardValue] | None = None
    address: list[CardAddress] | None = None
    avatar: CardAvatar | None = None


class GroupCall(msgspec.Struct, rename="camel"):
    """A call in a group."""

    era_id: str | None = None


class Data(msgspec.Struct, rename="camel"):
    """A message."""

    timestamp: int = 0
    message: str | None = None
    expires_in_seconds: int | None = None
    is_expiration_update: bool | None = None
    view_once: bool | None = None
    reaction: Reaction | None = None
    quote: Quote | None = None
    payment: Payment | None = None
    mentions: list[Mention] | None = None
    previews: list[Preview] | None = None
    attachments: list[Attachment] | None = None
    sticker: Sticker | None = None
    remote_delete: RemoteDelete | None = None
    contacts: list[Card] | None = None
    poll_create: PollCreate | None = None
    poll_vote: PollVote | None = None
    poll_terminate: PollTerminate | None = None
    text_styles: list[Style] | None = None
    group_info: GroupInfo | None = None
    story_context: StoryContext | None = None
    pin_message: Pin | None = None
    unpin_message: Pin | None = None
    admin_delete: Target | None = None
    group_call_update: GroupCall | None = None


class Edit(msgspec.Struct, rename="camel"):
    """A message that replaces an earlier one."""

    target_sent_timestamp: int = 0
    data_message: Data | None = None


class Sent(Data, rename="camel"):
    """What another device of the account has sent."""

    destination: str | None = None
    destination_number: str | None = None
    destination_uuid: str | None = None
    edit_message: Edit | None = None


class StoryText(msgspec.Struct):
    """A story without a picture."""

    text: str | None = None


class Story(msgspec.Struct, rename="camel"):
    """A story."""

    group_id: str | None = None
    file_attachment: Attachment | None = None
    text_attachment: StoryText | None = None
    destination_number: str | None = None
    destination_uuid: str | None = None


class ReadMessage(msgspec.Struct, rename="camel"):
    """A message that was read on another device."""

    sender_number: str | None = None
    sender_uuid: str | None = None
    timestamp: int = 0


class Sync(msgspec.Struct, rename="camel"):
    """What another device of the account tells."""

    sent_message: Sent | None = None
    sent_story_message: Story | None = None
    blocked_numbers: list[str] | None = None
    blocked_group_ids: list[str] | None = None
    read_messages: list[ReadMessage] | None = None
    type: str | None = None


class Receipt(msgspec.Struct, rename="camel"):
    """Messages have arrived, or were read."""

    is_delivery: bool = False
    is_read: bool = False
    is_viewed: bool = False
    timestamps: list[int] | None = None


class Typing(msgspec.Struct, rename="camel"):
    """Somebody types."""

    action: str = ""
    group_id: str | None = None


class CallPart(msgspec.Struct):
    """A part of a call."""

    id: int | None = None
    type: str | None = None


class Call(msgspec.Struct, rename="camel"):
    """A call."""

    offer_message: CallPart | None = None
    answer_message: CallPart | None = None
    busy_message: CallPart | None = None
    hangup_message: CallPart | None = None


class Envelope(msgspec.Struct, rename="camel"):
    """What came of somebody."""

    source_number: str | None = None
    source_uuid: str | None = None
    source_name: str | None = None
    source_device: int | None = None
    timestamp: int = 0
    data_message: Data | None = None
    edit_message: Edit | None = None
    story_message: Story | None = None
    sync_message: Sync | None = None
    call_message: Call | None = None
    receipt_message: Receipt | None = None
    typing_message: Typing | None = None


class Failure(msgspec.Struct):
    """Why an envelope could not be read."""

    message: str | None = None
    type: str | None = None


class Frame(msgspec.Struct):
    """A whole notification."""

    account: str = ""
    envelope: Envelope | None = None
    exception: Failure | None = None
