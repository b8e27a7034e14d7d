"""The recordings: `golden.json` (128 exchanges), `golden-errors.json` (16, with a backend that refuses), `backend.json` (its answers)."""

from pathlib import Path
from typing import Any

import msgspec

_DATA = Path(__file__).parents[2] / "data"


class Attachment(msgspec.Struct):
    """A file that signal-cli has received before the recording began."""

    name: str
    base64: bytes


class InitialState(msgspec.Struct):
    attachments: list[Attachment]


class Backend(msgspec.Struct):
    """What the backend knows."""

    account: str
    build_version: str
    answer_delay_ms: int
    results: dict[str, Any]
    initial_state: InitialState


class BackendCall(msgspec.Struct):
    """A call that upstream made."""

    method: str
    params: dict[str, Any] = {}
    files: dict[str, str] = msgspec.field(name="_files", default_factory=dict)
    """Contents (latin-1) of temporary files by path, as they were when the call arrived."""


class Exchange(msgspec.Struct, kw_only=True):
    """One request, upstream's answer to it, and what upstream then asked its backend for."""

    case: str
    method: str
    path: str
    body: Any
    """An object is sent as JSON, a text as it is, `None` is no body."""
    status: int
    content_type: str | None
    response: str
    headers: dict[str, str] = {}
    backend: list[BackendCall] | None = None
    """`None`: not recorded."""
    override: dict[str, Any] = {}
    """Backend answers of this case alone: `{"error": …}` or `{"result": …}` by method."""
    deviation: str | None = None
    """The id of a defect of upstream that this case shows (M…), or of something that upstream refuses (S…)."""
    precondition: Any = None


def backend() -> Backend:
    return msgspec.json.decode((_DATA / "backend.json").read_bytes(), type=Backend)


def exchanges() -> list[Exchange]:
    """All of them, in the order in which they were recorded: some need what an earlier one did."""
    files = [_DATA / "golden.json", _DATA / "golden-errors.json"]
    return [exchange for file in files for exchange in msgspec.json.decode(file.read_bytes(), type=list[Exchange])]
