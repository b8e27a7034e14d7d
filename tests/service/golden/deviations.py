"""Every case in which the service means to differ from upstream, with what it does instead. This table is the only place.

The ids are those of the recordings: M… is a defect of upstream that is mended here, S… something that upstream refuses or does badly and
that is accepted here. Whatever is not named is as recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from signal_courier.model.recipients import GroupId, Number, Pni, Recipient, Username
from tests.service.golden.recordings import BackendCall

_ANN, _BEN = "+4915100000001", "+4915100000002"
_UUID = "11111111-1111-4111-8111-111111111111"
_GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
_GROUP_ID = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="
_SENT = [{"timestamp": "1700000000123"}]
_NO_RECIPIENT = "Couldn't process request - please provide at least one recipient"


class AsRecorded:
    """What is not named does not differ."""


AS_RECORDED: Final = AsRecorded()


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How one case differs."""

    id: str
    why: str
    status: int | AsRecorded = AS_RECORDED
    response: object = AS_RECORDED
    """JSON that is contained in the answer; `None` = an empty body."""
    calls: Sequence[BackendCall] | AsRecorded = AS_RECORDED
    """What is sent or changed."""
    reads: Sequence[BackendCall] = ()
    """Read-only calls that must be among those made."""


def _error(text: str) -> dict[str, str]:
    return {"error": text}


def _send(**params: Any) -> BackendCall:
    return BackendCall("send", {"message": "hi", "notifySelf": True, "account": _ANN} | params)


def _m4(*, all_recipients: bool) -> Deviation:
    wanted = {"blocked": False, "message_expiration": "0", "profile_name": "pg pf"}
    return Deviation(
        id="M4",
        why="blocked, timer and profile name are read by the names that signal-cli gives them",
        response=[wanted],
        reads=[BackendCall("listContacts", {"allRecipients": all_recipients, "account": _ANN})],
    )


_M5: Final = {"permissions": {"add_members": "every-member", "edit_group": "only-admins", "send_messages": "every-member"}}
_M5_WHY: Final = "edit_group tells who may edit, not who may send"
_S5_REGISTER: Final = Deviation(
    id="S5", why="guides promise a body; who expects none does not read it", response={"status": "verification_required"}
)
_UNKNOWN_GROUP: Final = Deviation(
    id="M1", why="an unknown group is not found, as on its members' route", status=404,
    response=_error("No group with that group id (group.AAAA) found"),
)  # fmt: skip
_M11_TIMEOUT: Final = Deviation(
    id="M11", why="a plain GET receives in every mode, so its query is checked in every mode", status=400,
    response=_error("Couldn't process request - timeout needs to be numeric!"),
)  # fmt: skip

DEVIATIONS: Final[Mapping[str, Deviation]] = {
    # --- mended
    "groups": Deviation(id="M5", why=_M5_WHY, response=[_M5]),
    "groups expand": Deviation(id="M5", why=_M5_WHY, response=[_M5]),
    "group expand": Deviation(id="M5", why=_M5_WHY, response=_M5),
    "group missing": _UNKNOWN_GROUP,
    "group missing expand": _UNKNOWN_GROUP,
    "contacts": _m4(all_recipients=False),
    "contacts all": _m4(all_recipients=True),
    "username fail": Deviation(id="M7", why="the real reason is told", response=_error("boom")),
    "profile no avatar": Deviation(
        id="M8", why="a new name leaves the picture alone",
        calls=[BackendCall("updateProfile", {"givenName": "Me", "account": _ANN})],
    ),
    "search noaccount": Deviation(
        id="M10", why="signal-cli needs an account to ask with: the only one there is",
        reads=[BackendCall("getUserStatus", {"recipient": [_BEN], "account": _ANN})],
    ),
    "receive bad timeout": _M11_TIMEOUT,
    "receive float timeout": _M11_TIMEOUT,
    "receive neg": Deviation(id="M11", why="a plain GET receives in every mode; below zero it does not wait", status=200, response=[]),
    "receive bad flag": Deviation(
        id="M11", why=_M11_TIMEOUT.why, status=400,
        response=_error("Couldn't process request - ignore_attachments parameter needs to be either 'true' or 'false'"),
    ),
    # --- accepted
    "send trailing slash": Deviation(
        id="S8", why="served directly, without a redirect", status=400, response=_error(_NO_RECIPIENT),
    ),
    "trust set": Deviation(id="S7", why="stored and honoured", status=204, response=None, calls=[]),
    "trust get": Deviation(id="S7", why="stored and honoured", response={"trust_mode": "always"}),
    "send no number": Deviation(
        id="S3", why="the only account is meant", status=201, response=_SENT, calls=[_send(recipient=[_BEN])],
    ),
    "send recipients as string": Deviation(
        id="S3", why="a text is a list of one", status=201, response=_SENT, calls=[_send(recipient=[_BEN])],
    ),
    "send group+number": Deviation(
        id="S2", why="each kind is a send of its own", status=201, response=_SENT * 2,
        calls=[_send(groupId=_GROUP), _send(recipient=[_BEN])],
    ),
    "send number+username": Deviation(
        id="S2", why="each kind is a send of its own", status=201, response=_SENT * 2,
        calls=[_send(recipient=[_BEN]), _send(username=["test.42"])],
    ),
    "send PNI": Deviation(id="S1", why="a PNI is no username", calls=[_send(recipient=[f"PNI:{_UUID}"])]),
    "send spaced number": Deviation(id="S1", why="a number without its spaces", calls=[_send(recipient=["+49151000"])]),
    "group no prefix": Deviation(id="S10", why="an id is known in every form", response={"id": _GROUP_ID, "internal_id": _GROUP}),
    "pin empty": Deviation(
        id="S6", why="the missing field is named", status=400, calls=[],
        response=_error("Couldn't process request - target author missing"),
    ),
    "typing norecip": Deviation(
        id="S6", why="the missing field is named", status=400, calls=[], response=_error("Couldn't process request - recipient missing"),
    ),
    "search comma": Deviation(
        id="S4", why="a list with commas is split", reads=[BackendCall("getUserStatus", {"recipient": ["+1", "+2"], "account": _ANN})],
    ),
    "vote int ts": Deviation(
        id="S11", why="a number is as good as digits in quotes; it is the second vote in this poll", status=204, response=None,
        calls=[
            BackendCall(
                "sendPollVote",
                {"groupId": _GROUP, "pollAuthor": _BEN, "pollTimestamp": 99, "option": [0], "voteCount": 2, "account": _ANN},
            )
        ],
    ),
    # --- more than recorded, nowhere marked there
    "register": _S5_REGISTER,
    "register voice captcha": _S5_REGISTER,
    "register pct": _S5_REGISTER,
    "register double pct": _S5_REGISTER,
    "verify pin": Deviation(id="S5", why=_S5_REGISTER.why, response={"status": "verified"}),
}  # fmt: skip

RESOLVED_RECIPIENTS: Final[Mapping[str, Recipient | None]] = {
    "+49 151 000": Number("+49151000"),
    "": None,
    "4915100000002": Number("+4915100000002"),
    f"PNI:{_UUID}": Pni(_UUID),
    "u:test.42": Username("test.42"),
    _GROUP: GroupId(_GROUP),
}
"""Recorded recipients of `inputs.json` that upstream sent out as usernames, or as they were; `None`: refused here."""

MENDED_STYLES: Final[Mapping[str, tuple[str, list[str]]]] = {
    # an unclosed marker stays in the text
    "unclosed mono": ("`x", []),
    "escaped backtick": ("`a`", []),
    "bold then triple": ("a*", ["0:1:BOLD"]),
    # crossed and adjacent styles are all there
    "crossed": ("a b c", ["0:3:BOLD", "2:3:ITALIC"]),
    "triple open bold close": ("a b", ["0:1:BOLD", "0:3:ITALIC"]),
    "triple open italic close": ("a b", ["0:1:ITALIC", "0:3:BOLD"]),
    "five stars": ("x", ["0:1:BOLD", "0:1:ITALIC"]),
    "adjacent italics": ("ab", ["0:1:ITALIC", "1:1:ITALIC"]),
    # no empty ranges
    "six stars": ("******", []),
    "double backtick": ("a", ["0:1:MONOSPACE"]),
    "triple backtick": ("a", ["0:1:MONOSPACE"]),
    # a marker inside a word is text
    "escape before text": ("\\a*b*", []),
    # an escaped backslash before a style
    "escaped backslash": ("\\a", ["1:1:ITALIC"]),
}
"""Observed cases of `text-style.json` that show a defect of upstream, and the text and styles that are given here instead."""
