"""Which version of signal-cli brought what; 0.13.19, the oldest that is supported, has everything that is not listed.

Source: signal-cli's tags 0.13.19 to 0.14.6.
"""

from collections.abc import Mapping

METHODS: Mapping[str, str] = {
    "sendPollCreate": "0.13.22",
    "sendPollVote": "0.13.22",
    "sendPollTerminate": "0.13.22",
    "updateDevice": "0.13.23",
    "sendPinMessage": "0.14.0",
    "sendUnpinMessage": "0.14.0",
    "sendAdminDelete": "0.14.0",
    "startCall": "0.14.2",
    "acceptCall": "0.14.2",
    "rejectCall": "0.14.2",
    "hangupCall": "0.14.2",
    "listCalls": "0.14.2",
    "subscribeCallEvents": "0.14.2",
    "unsubscribeCallEvents": "0.14.2",
    "sendStory": "0.14.6",
}
"""Method → the version that brought it."""

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "send": {"noUrgent": "0.14.0", "voiceNote": "0.14.2"},
    "sendReaction": {"notifySelf": "0.13.22"},
    "updateGroup": {"memberLabel": "0.14.1", "memberLabelEmoji": "0.14.1"},
}
"""Method → parameter that came later than the method → the version that brought it. Older ones ignore it without a word."""

FATAL: Mapping[str, frozenset[str]] = {"listDevices": frozenset({"0.14.8"})}
"""Method → versions that do not survive it: the whole daemon ends. Source: signal-cli's issues 2118 and 2119."""

_FEATURES: Mapping[str, str] = {
    "polls": METHODS["sendPollCreate"],
    "rename_devices": METHODS["updateDevice"],
    "pin_messages": METHODS["sendPinMessage"],
    "admin_delete": METHODS["sendAdminDelete"],
    "calls": METHODS["startCall"],
    "stories": METHODS["sendStory"],
    "silent_messages": PARAMETERS["send"]["noUrgent"],
    "voice_notes": PARAMETERS["send"]["voiceNote"],
    "member_labels": PARAMETERS["updateGroup"]["memberLabel"],
}


def features_of(version: str | None) -> dict[str, bool]:
    """What a version can do, by names for programs; empty while the version is unknown."""
    return {name: not is_older(version, since) for name, since in _FEATURES.items()} if version else {}


def parse(version: str) -> tuple[int, ...]:
    """`0.14.6` → (0, 14, 6), `0.14.0` and `0.14` → (0, 14); what follows the digits of a part (`-SNAPSHOT`) does not count."""
    parts: list[int] = []
    for part in version.strip().split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def is_older(running: str, needed: str) -> bool:
    """Whether `running` lacks what came with `needed`; a version that cannot be read counts as new."""
    return bool(parsed := parse(running)) and parsed < parse(needed)
