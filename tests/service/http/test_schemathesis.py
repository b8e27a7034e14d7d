"""Whatever a client sends, right or wrong: no 5xx, no answer that the description does not have, types and schemas as it says.

Every operation is tried in a fresh simulated network, with values made from its schema and with values made to break it; now and then
accounts, people and groups that exist take the place of made-up ones, so that the tries get behind the first check.
"""

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from signal_courier.engine.simulator import cast
from signal_courier.http import tables
from signal_courier.http.description import openapi
from tests.fakes.served import simulated_on_a_thread

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
"""Requests an operation and mode."""

SCHEMA = schemathesis.openapi.from_dict(openapi.document([route for table in tables.TABLES for route in table], ["http://127.0.0.1"]))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PICTURE = base64.b64encode(cast.PIXEL).decode()
GROUP = "group." + base64.b64encode(cast.DEMO_GROUP.encode()).decode()
REAL: dict[str, tuple[Any, ...]] = {
    "number": (cast.HOME, cast.SECOND),
    "numberToTrust": (cast.NEWKEY, cast.ECHO),
    "recipient": (cast.ECHO, cast.POLLY, cast.UNREGISTERED, "shade.01", GROUP),
    "recipients": ([cast.ECHO], [cast.ECHO, GROUP, "shade.01"], [cast.LIMITED], [cast.NEWKEY]),
    "groupid": (GROUP, cast.DEMO_GROUP),
    "group_id": (GROUP,),
    "uuid": (cast.uuid_of(cast.ECHO), cast.SHADE),
    "target_author": (cast.ECHO,),
    "poll_author": (cast.HOME,),
    "members": ([cast.ECHO, "shade.01"],),
    "admins": ([cast.SECOND],),
    "deviceId": ("1", "2"),
    "captcha": ("signalcaptcha://simulated",),
    "token": (cast.CODE,),
    "numbers": ([cast.ECHO],),
    "device_name": ("Kitchen",),
    "account": (cast.HOME, cast.SECOND),
    "conversation": (cast.uuid_of(cast.ECHO), GROUP, cast.POLLY),
    "group": (GROUP,),
    "author": (cast.ECHO, cast.uuid_of(cast.ECHO)),
    "add": ([cast.ECHO],),
    "promote": ([cast.ECHO],),
    "text": ("Hello",),
    "pack": (cast.INSTALLED_PACK,),
    "sticker": ("0",),
    "device": ("1", "2"),
    "code": (cast.CODE,),
    "attachments": ([PICTURE],),
    "avatar": (PICTURE,),
}
"""What exists in the simulated network, by the names that routes have for it."""
ENDLESS = {"GET /api/v1/events"}
"""A stream of events, and nothing else."""
PAGED = {"GET /api/v2/events"}
"""An answer that never ends is none to compare: here they come as pages."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with simulated_on_a_thread(tmp_path) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "broken"])
@pytest.mark.parametrize("label", [label for label in OPERATIONS if label not in ENDLESS])
def test_every_answer_is_documented(label: str, mode: GenerationMode, address: str):
    operation = OPERATIONS[label]
    with requests.Session() as session:

        @given(case=operation.as_strategy(generation_mode=mode), choices=st.randoms(use_true_random=False))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case, choices: Any) -> None:
            for values in (case.path_parameters, case.query, case.body):
                _make_real(values, choices)
            wait = case.query.get("wait", -1)
            if label in PAGED and (isinstance(wait, int) or wait in (None, [], {})):  # what is empty is not in the URL: an endless stream
                case.query = {**case.query, "wait": 0}
            case.call_and_validate(base_url=address, session=session, checks=CHECKS, timeout=20)

        with contextlib.suppress(Unsatisfiable):  # no request to this operation can be broken
            check()


def _make_real(values: Any, choices: Any) -> None:
    """Put what exists in place of what was made up, three times in four."""
    if isinstance(values, dict):
        for name in values:
            if name in ("timeout", "wait") and isinstance(values[name], int):
                values[name] = min(values[name], 0)  # nobody waits for messages here
            elif name in REAL and choices.random() < 0.75:
                values[name] = choices.choice(REAL[name])


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v2/events?after=0", "/api/v1/events"])
def test_the_events_of_a_stream_are_as_they_are_described(path: str, address: str) -> None:
    operation = OPERATIONS[f"GET {path.partition('?')[0]}"]
    sent = requests.post(f"{address}/v2/send", json={"number": cast.SECOND, "recipients": [cast.HOME], "message": "Hi"}, timeout=20)
    assert sent.status_code == 201
    headers = {"Last-Event-ID": "0"}
    with requests.get(f"{address}{path}", stream=True, timeout=20, headers=headers) as stream:
        received = b""
        for piece in stream.iter_content(1):
            received += piece
            if b"data:" in received and received.endswith(b"\n\n"):
                break
        stream._content = received  # what has come of a stream that never ends
        case = operation.Case()
        case.validate_response(schemathesis.Response.from_requests(stream, verify=True), checks=CHECKS)
