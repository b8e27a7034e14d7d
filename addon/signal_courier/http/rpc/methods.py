"""Which of signal-cli's methods may be called by whom. A method that is not listed here is for the scope `admin`."""

import re
from collections.abc import Iterator, Mapping

from signal_courier.access.scopes import Scope
from signal_courier.engine.base import Json, Params
from signal_courier.http.call import Call
from signal_courier.http.problems import NotAllowed
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import Recipient, parse_number, parse_recipient

SUBSCRIPTIONS = frozenset({"subscribeReceive", "unsubscribeReceive", "subscribeCallEvents", "unsubscribeCallEvents"})
"""Not over HTTP, neither here nor with signal-cli: `/api/v1/events` is for that."""
WITHOUT_ACCOUNT = frozenset({"version", "listAccounts", "startLink", "finishLink"})
NEW_ACCOUNTS = frozenset({"startLink", "finishLink"})
CHANGING_ACCOUNTS = frozenset({"finishLink", "register", "verify", "unregister", "deleteLocalAccountData", "finishChangeNumber"})
"""After these the list of accounts may be another."""
ONE_RECIPIENT = frozenset({"sendReceipt", "trust", "updateContact", "removeContact", "sendPaymentNotification"})
"""These take one text as their recipient, where the others take a list: clients send them a list of one, too."""
OPEN = frozenset({"version", "listAccounts"})
"""For every caller; the list holds the accounts that the caller may use."""

_SCOPES: Mapping[Scope, str] = {
    Scope.SEND: """send sendReaction sendReceipt sendTyping sendPollCreate sendPollVote sendPollTerminate sendStory remoteDelete
        sendAdminDelete sendPaymentNotification listCalls startCall acceptCall rejectCall hangupCall""",
    Scope.RECEIVE: "receive getAttachment",
    Scope.CONTACTS: """listContacts updateContact removeContact block unblock getUserStatus getAvatar sendMessageRequestResponse
        sendContacts listIdentities""",
    Scope.GROUPS: "listGroups updateGroup joinGroup quitGroup sendPinMessage sendUnpinMessage",
    Scope.ACCOUNTS: """startLink finishLink register verify unregister updateAccount updateProfile updateConfiguration setPin removePin
        startChangeNumber finishChangeNumber submitRateLimitChallenge deleteLocalAccountData addDevice removeDevice updateDevice
        listDevices trust sendSyncRequest listStickerPacks getSticker addStickerPack uploadStickerPack""",
}
SCOPES: Mapping[str, Scope] = {method: scope for scope, methods in _SCOPES.items() for method in methods.split()}
"""The scope that a method asks for."""
KNOWN = SCOPES.keys() | OPEN | SUBSCRIPTIONS
READING = frozenset(
    {
        "receive", "getAttachment", "listCalls", "listContacts", "getUserStatus", "getAvatar", "listStickerPacks", "getSticker",
        "listGroups", "listDevices", "listIdentities", *OPEN,
    }
)  # fmt: skip
"""These reach nobody."""

_NOBODY_NAMED = frozenset({"acceptCall", "rejectCall", "hangupCall"})
"""These reach somebody whom none of their parameters names."""
_CONTACTS_OR_GROUPS = frozenset({"block", "unblock", "sendMessageRequestResponse"})
"""For a group these ask for the scope `groups`, too."""
_GROUPS = frozenset({"groupid", "groupids"})
_RECIPIENTS = frozenset({"recipient", "recipients", "groupid", "groupids", "username", "usernames"})
_FILES = frozenset({"attachment", "attachments", "avatar", "previewimage", "path"})
_QUOTED_FILES = frozenset({"quoteattachment", "quoteattachments"})
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9]{1,16})?")


def check[B, Q](call: Call[B, Q], method: str, params: Params) -> None:
    """Whether the caller may call it so. Raises `NotAllowed`, and `InvalidValue` for what would read files of this machine."""
    caller = call.caller
    if method not in OPEN and not caller.may(SCOPES.get(method, Scope.ADMIN)):
        raise NotAllowed
    if method in _CONTACTS_OR_GROUPS and _names_group(params):
        call.check_scope(Scope.GROUPS)
    if caller.accounts is not None:
        _check_account(call, method, params)
    if caller.recipients is not None and method not in READING:
        if SCOPES.get(method) is not Scope.SEND:
            raise NotAllowed
        _check_recipients(call, method, params)
    if caller.kind != "loopback":
        _check_files(method, params)


def _check_account[B, Q](call: Call[B, Q], method: str, params: Params) -> None:
    if method in OPEN:
        return
    account = params.get("account")
    if method in NEW_ACCOUNTS or not isinstance(account, str):
        raise NotAllowed
    try:
        call.check_account(parse_number(account).e164)
    except InvalidValue:
        raise NotAllowed from None


def _check_recipients[B, Q](call: Call[B, Q], method: str, params: Params) -> None:
    if method in _NOBODY_NAMED or (method == "sendStory" and not _names_group(params)):
        raise NotAllowed  # a recipient may be named all the same: signal-cli takes no notice of it
    try:
        named = list(_recipients(params))
    except InvalidValue:
        raise NotAllowed from None
    if not named:
        raise NotAllowed
    call.check_recipients(named)


def _names_group(params: Params) -> bool:
    return any(_plain(key) in _GROUPS and value for key, value in params.items())


def _recipients(params: Params) -> Iterator[Recipient]:
    """Everybody whom the parameters name; raises `InvalidValue`."""
    for key, value in params.items():
        plain = _plain(key)
        if plain == "notetoself" and value:
            yield parse_number(str(params.get("account") or ""))
        if plain not in _RECIPIENTS or value is None:
            continue
        for text in value if isinstance(value, list) else [value]:
            if plain.startswith("username") and isinstance(text, str) and not text.startswith("u:"):
                text = "u:" + text  # noqa: PLW2901
            yield parse_recipient(str(text), field=key)


def _check_files(method: str, params: Params) -> None:
    """A file of this machine is for programs on it: from elsewhere files come as `data:` URIs."""
    if method == "getAttachment" and not _PLAIN_ID.fullmatch(str(params.get("id"))):
        raise InvalidValue("id", "Could not find attachment")
    for key, value in params.items():
        plain = _plain(key)
        for text in value if isinstance(value, list) else [value]:
            if plain in _FILES and text is not None and not _is_inline(text):
                raise InvalidValue(key, f"{key}: only data: URIs are taken from other machines")
            if plain in _QUOTED_FILES and text is not None and str(text).count(":") > 1:
                raise InvalidValue(key, f"{key}: no preview can be read from other machines")


def _is_inline(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("data:")


def _plain(key: str) -> str:
    """signal-cli takes `groupId` and `group-id`."""
    return key.replace("-", "").replace("_", "").lower()
