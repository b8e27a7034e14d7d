"""What is asked of the simulator and of the real signal-cli alike, one call each, in this order, on one network.

Ann calls; Ben hears. `"{ben}"` and the like stand for what the two networks have for it (`worlds.Roles`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from signal_courier.engine.base import Json

_STAMP = 1_795_000_000_000


@dataclass(frozen=True)
class Case:
    """One call."""

    name: str
    """What it is about, unique."""
    method: str
    params: Mapping[str, Json] = field(default_factory=dict)
    hears: bool = False
    """Whether Ben gets an envelope with the timestamp of the answer."""
    account: str | None = "{ann_number}"
    """Who calls; `None`: no account is named."""


def _to_ben(name: str, method: str = "send", /, **params: Json) -> Case:
    return Case(name, method, {"recipient": ["{ben}"], **params}, hears=True)


def _to_group(name: str, method: str = "send", /, **params: Json) -> Case:
    return Case(name, method, {"groupId": "{group}", **params}, hears=True)


def _refused(name: str, method: str = "send", /, **params: Json) -> Case:
    return Case(name, method, params)


CASES: tuple[Case, ...] = (
    # --- the daemon ---
    Case("version", "version", account=None),
    Case("accounts", "listAccounts", account=None),
    Case("subscribe", "subscribeReceive", account=None),
    Case("unknown method", "frobnicate"),
    Case("unknown account", "listContacts", account="+4915100000999"),
    Case("account left out", "listContacts", account=None),
    Case("receive while receiving", "receive", {"timeout": 1}),
    # --- sending ---
    _to_ben("text", message="hello"),
    _to_ben("scalar for list", recipient="{ben}", message="hello"),
    Case("plural and dashed keys", "send", {"recipients": ["{ben}"], "message": "x", "view-once": False}, hears=True),
    _to_ben("styles", message="bold", textStyle=["0:2:BOLD", "2:2:SPOILER"]),
    _to_ben("mention", message="X hi", mention=["0:1:{ben}"]),
    _to_ben("quote", message="re", quoteTimestamp="{sent}", quoteAuthor="{ann}", quoteMessage="hello", quoteTextStyle=["0:2:BOLD"]),
    _to_ben("attachment", message="look", attachment=["{picture}"]),
    _to_ben("attachment as data", attachment=["data:text/plain;filename=a.txt;base64,aGVsbG8="]),
    _to_ben("view once", attachment=["{picture}"], viewOnce=True),
    _to_ben("preview", message="https://example.com", previewUrl="https://example.com", previewTitle="T", previewDescription="D"),
    _to_ben("sticker", sticker="{pack}:0"),
    _to_ben("edit", message="better", editTimestamp="{sent}"),
    _to_ben("story reply", message="nice", storyTimestamp=_STAMP, storyAuthor="{ben}"),
    _to_ben("delete", "remoteDelete", targetTimestamp="{sent}"),
    _to_ben("reaction", "sendReaction", emoji="👍", targetAuthor="{ann}", targetTimestamp="{sent}"),
    _to_ben("reaction without author", "sendReaction", emoji="👍", targetTimestamp="{sent}"),
    _to_ben("reaction taken back", "sendReaction", emoji="👍", remove=True, targetAuthor="{ann}", targetTimestamp="{sent}"),
    _to_ben("read receipt", "sendReceipt", recipient="{ben}", targetTimestamp=["{sent}"], type="read"),
    _to_ben("viewed receipt", "sendReceipt", recipient="{ben}", targetTimestamp=["{sent}"], type="viewed"),
    _to_ben("typing", "sendTyping"),
    _to_ben("typing stopped", "sendTyping", stop=True),
    _to_ben("payment", "sendPaymentNotification", recipient="{ben}", receipt="aGVsbG8=", note="thanks"),
    Case("note to self", "send", {"noteToSelf": True, "message": "remember"}),
    Case("some of the recipients", "send", {"recipient": ["{ben}", "{stranger}"], "message": "x"}),
    # --- what sending refuses ---
    _refused("no recipient", message="x"),
    _refused("empty message", recipient=["{ben}"]),
    _refused("unregistered recipient", recipient=["{stranger}"], message="x"),
    _refused("recipient without digits", recipient=["abc"], message="x"),
    _refused("mail address", recipient=["a@example.com"], message="x"),
    _refused("group id that is none", groupId="!!", message="x"),
    _refused("group id that is empty", groupId="", message="x"),
    _refused("group id of one letter", groupId="x", message="x"),
    _refused("group id that is too short", groupId="+49", message="x"),
    _refused("group id that ends in the middle", groupId="AAAAA", message="x"),
    _refused("group id with a foreign letter", groupId="äA==", message="x"),
    _refused("group id with an emoji", groupId="😀", message="x"),
    _refused("group that is unknown", groupId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", message="x"),
    _refused("mention without form", recipient=["{ben}"], message="x", mention=["x"]),
    _refused("style without form", recipient=["{ben}"], message="x", textStyle=["x"]),
    _refused("style unknown", recipient=["{ben}"], message="x", textStyle=["0:1:LOUD"]),
    _refused("sticker without form", recipient=["{ben}"], sticker="x"),
    _refused("sticker pack unknown", recipient=["{ben}"], sticker="00112233445566778899aabbccddeeff:0"),
    _refused("sticker id unknown", recipient=["{ben}"], sticker="{pack}:77"),
    _refused("quote without author", recipient=["{ben}"], message="x", quoteTimestamp=_STAMP),
    _refused("file that is missing", recipient=["{ben}"], attachment=["/nowhere/file.png"]),
    _refused("small long", "remoteDelete", recipient=["{ben}"], targetTimestamp=5),
    _refused("wrong type", recipient=["{ben}"], message=5),
    _refused("reaction without emoji", "sendReaction", recipient=["{ben}"], targetTimestamp=_STAMP),
    _refused("reaction of nobody", "sendReaction", emoji="👍", targetAuthor="{ben}", targetTimestamp=_STAMP),
    _refused("reaction in a group without author", "sendReaction", groupId="{group}", emoji="👍", targetTimestamp=_STAMP),
    _refused("deletion without timestamp", "remoteDelete", recipient=["{ben}"]),
    _refused("receipt of unknown type", "sendReceipt", recipient="{ben}", targetTimestamp=[_STAMP], type="eaten"),
    _refused("receipt without recipient", "sendReceipt", targetTimestamp=[_STAMP]),
    _refused("typing to nobody", "sendTyping"),
    _refused("typing to an unknown group", "sendTyping", groupId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    _refused("payment to nobody", "sendPaymentNotification", receipt="aGVsbG8="),
    # --- groups ---
    _to_group("text to a group", message="hello all"),
    _to_group("mention in a group", message="X hi", mention=["0:1:{ben}"]),
    _to_group("reaction in a group", "sendReaction", emoji="🎉", targetAuthor="{ann}", targetTimestamp="{sent}"),
    _to_group("typing in a group", "sendTyping"),
    _to_group("group renamed", "updateGroup", name="Renamed", description="About"),
    _to_group("group expiration", "updateGroup", expiration=3600),
    _to_group("group expiration off", "updateGroup", expiration=0),
    _to_group("group administrator", "updateGroup", admin=["{ben}"]),
    _to_group("group administrator no more", "updateGroup", removeAdmin=["{ben}"]),
    _to_group("group permission", "updateGroup", setPermissionAddMember="only-admins"),
    _to_group("group link", "updateGroup", link="enabled"),
    Case("groups", "listGroups"),
    Case("group by id", "listGroups", {"groupId": ["{group}"]}),
    Case("group made", "updateGroup", {"name": "New", "member": ["{ben}"]}),
    Case("group that nothing changes", "updateGroup", {"groupId": "{group}"}),
    Case("removing oneself from a group", "updateGroup", {"groupId": "{group}", "removeMember": ["{ann}"]}),
    Case("still in the group", "updateGroup", {"groupId": "{group}", "name": "Club"}),
    _refused("group link state", "updateGroup", groupId="{group}", link="maybe"),
    _refused("group permission unknown", "updateGroup", groupId="{group}", setPermissionAddMember="nobody"),
    _refused("group picture missing", "updateGroup", groupId="{group}", avatar="/nowhere/file.png"),
    _refused("update of an unknown group", "updateGroup", groupId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", name="x"),
    _refused("joining without a link", "joinGroup", uri="https://example.com"),
    _refused("quitting as last administrator", "quitGroup", groupId="{group}"),
    _refused("quitting an unknown group", "quitGroup", groupId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    # --- contacts, identities ---
    Case("contact named", "updateContact", {"recipient": "{ben}", "name": "Ben"}),
    Case("contact expiration", "updateContact", {"recipient": "{ben}", "expiration": 60}),
    Case("contact expiration off", "updateContact", {"recipient": "{ben}", "expiration": 0}),
    Case("contact blocked", "block", {"recipient": ["{ben}"]}),
    Case("contact unblocked", "unblock", {"recipient": ["{ben}"]}),
    Case("nothing blocked", "block"),
    Case("contact", "listContacts", {"recipient": ["{ben}"]}),
    Case("contact of no such name", "listContacts", {"name": "Nobody at all"}),
    Case("update of nobody", "updateContact", {"name": "x"}),
    Case("removal of nobody", "removeContact"),
    Case("removal of a stranger", "removeContact", {"recipient": "+4915100000998"}),
    Case("contacts sent", "sendContacts"),
    Case("synchronised", "sendSyncRequest"),
    Case("request accepted", "sendMessageRequestResponse", {"recipient": ["{ben}"], "type": "accept"}),
    Case("status of nobody", "getUserStatus"),
    Case("status of nonsense", "getUserStatus", {"recipient": ["x", ""]}),
    Case("identity", "listIdentities", {"number": "{ben}"}),
    Case("identity trusted", "trust", {"recipient": "{ben}", "trustAllKnownKeys": True}),
    _refused("identity without number", "trust", recipient="{ben}"),
    _refused("identity of wrong form", "trust", recipient="{ben}", verifiedSafetyNumber="12"),
    _refused("identity of wrong number", "trust", recipient="{ben}", verifiedSafetyNumber="1" * 60),
    # --- account ---
    Case("devices", "listDevices"),
    Case("profile", "updateProfile", {"givenName": "Ann", "familyName": "Lee", "about": "me", "aboutEmoji": "👍"}),
    Case("profile picture", "updateProfile", {"avatar": "{picture}"}),
    Case("profile picture removed", "updateProfile", {"removeAvatar": True}),
    Case("configuration", "updateConfiguration", {"readReceipts": True}),
    Case("username", "updateAccount", {"username": "contract"}),
    Case("username given up", "updateAccount", {"deleteUsername": True}),
    Case("nothing updated", "updateAccount"),
    _refused("device code that is none", "addDevice", uri="https://example.com"),
    _refused("challenge unknown", "submitRateLimitChallenge", challenge="x", captcha="y"),
    # --- files, stickers ---
    Case("sticker packs", "listStickerPacks"),
    Case("sticker picture", "getSticker", {"packId": "{pack}", "stickerId": 0}),
    _refused("sticker missing", "getSticker", packId="{pack}", stickerId=77),
    _refused("sticker link", "addStickerPack", uri=["https://example.com"]),
    _refused("avatar missing", "getAvatar", profile="{ben}"),
    _refused("avatar of nobody", "getAvatar"),
    _refused("attachment missing", "getAttachment", id="nothing.png"),
    _refused("attachment without id", "getAttachment"),
    # --- registration and linking ---
    Case("captcha wanted", "register", account="+4915100000889"),
    Case("captcha solved", "register", {"captcha": "solved"}, account="+4915100000889"),
    Case("code wrong", "verify", {"verificationCode": "000000"}, account="+4915100000889"),
    Case("code missing", "verify", account="+4915100000889"),
    Case("register with an unknown key", "register", {"colour": "red"}, account="+4915100000889"),
    Case("register nobody", "register", account=None),
    Case("code wanted", "startLink", account=None),
    Case("link without code", "finishLink", account=None),
    Case("link with a strange code", "finishLink", {"deviceLinkUri": "sgnl://linkdevice?uuid=x&pub_key=y"}, account=None),
    Case("link with an unknown key", "finishLink", {"deviceLinkUri": "x", "colour": "red"}, account=None),
)
