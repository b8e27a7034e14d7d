"""How long each call may take, in seconds. The only place that knows."""

from collections.abc import Mapping

from signal_courier.engine.base import Params

DEFAULT = 60.0
"""For everything that asks Signal's server once or twice."""
WITH_ATTACHMENTS = 600.0
"""For everything that uploads files: 100 MiB at 2 Mbit/s."""

_LOCAL = 20.0
_MANY_REQUESTS = 180.0

DEADLINES: Mapping[str, float] = {
    # Answered from local data; only a daemon that is stuck takes longer.
    "version": _LOCAL,
    "listAccounts": _LOCAL,
    "subscribeReceive": _LOCAL,
    "unsubscribeReceive": _LOCAL,
    "subscribeCallEvents": _LOCAL,
    "unsubscribeCallEvents": _LOCAL,
    "listCalls": _LOCAL,
    # One message for each device of each member, after fetching the missing keys.
    "send": _MANY_REQUESTS,
    "sendPollCreate": _MANY_REQUESTS,
    "sendPollVote": _MANY_REQUESTS,
    "sendPollTerminate": _MANY_REQUESTS,
    "sendContacts": _MANY_REQUESTS,
    "updateGroup": _MANY_REQUESTS,
    "joinGroup": _MANY_REQUESTS,
    "quitGroup": _MANY_REQUESTS,
    # finishLink waits for a person with a phone: signal-cli itself gives up after 100 s, then come keys and a first sync.
    "finishLink": 180.0,
    # Proof of work, captcha and key upload; the enclaves that keep the PIN are slow.
    "register": 150.0,
    "verify": 150.0,
    "startChangeNumber": 150.0,
    "finishChangeNumber": 150.0,
    "setPin": 150.0,
    "removePin": 150.0,
    "unregister": 150.0,
    "sendStory": WITH_ATTACHMENTS,
    "uploadStickerPack": WITH_ATTACHMENTS,
}

_UPLOADS = frozenset({"attachment", "attachments", "avatar", "previewImage", "preview-image", "quoteAttachment", "quoteAttachments"})


def deadline_of(method: str, params: Params, default: float = DEFAULT) -> float:
    """Seconds until the call counts as unanswered; `default` is for methods that have no figure of their own."""
    if not _UPLOADS.isdisjoint(params):
        return WITH_ATTACHMENTS
    if method == "receive":
        timeout = params.get("timeout")
        return default + timeout if isinstance(timeout, int | float) and timeout > 0 else WITH_ATTACHMENTS
    return DEADLINES.get(method, default)
