"""The recorded inputs of `/v2/send`, one by one over HTTP: styled texts, attachments, recipients; what signal-cli is asked for counts."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from signal_courier.model.recipients import GroupId, Username
from tests.fakes.served import ACCOUNT, Service
from tests.service.golden.deviations import MENDED_STYLES, RESOLVED_RECIPIENTS

_DATA = Path(__file__).parents[2] / "data"
_STYLES = json.loads((_DATA / "text-style.json").read_text())
_INPUTS = json.loads((_DATA / "inputs.json").read_text())
_PERSON = "+4915100000002"


def _name(case: dict[str, Any]) -> str:
    return str(case.get("name", case.get("input")))


async def _sent(service: Service, **fields: object) -> dict[str, Any]:
    reply = await service.post("/v2/send", {"number": ACCOUNT, "recipients": [_PERSON], **fields})
    assert reply.status == 201, reply.body
    [(method, params)] = service.calls
    assert method == "send"
    return params


@pytest.mark.parametrize("case", [*_STYLES["unit_cases"], *_STYLES["observed_cases"]], ids=_name)
async def test_styled_text_reaches_signal_cli_as_text_and_ranges(shared: Service, case: dict[str, Any]):
    text, ranges = MENDED_STYLES.get(case["name"], (case["text"], case["ranges"]))
    params = await _sent(shared, message=case["input"], text_mode="styled")
    assert (params["message"], params.get("textStyle", [])) == (text, ranges)


@pytest.mark.parametrize("case", _INPUTS["attachment_cases"], ids=_name)
async def test_attachment_reaches_signal_cli_as_a_file_or_is_refused(shared: Service, case: dict[str, Any]):
    found: dict[str, bytes] = {}

    def send(params: dict[str, Any]) -> object:
        found.update({Path(path).name: Path(path).read_bytes() for path in params["attachment"]})
        return {"timestamp": 1, "results": []}

    shared.daemon.on("send", send)
    reply = await shared.post(
        "/v2/send", {"number": ACCOUNT, "recipients": [_PERSON], "message": "x", "base64_attachments": [case["input"]]}
    )
    if not case["base64_valid"]:
        assert reply.status == 400
        assert reply.error.startswith("illegal base64 data at input byte ")
        assert shared.calls == []
        return
    assert reply.status == 201
    [(name, content)] = found.items()
    assert content == base64.b64decode(case["base64"])
    assert name == case["filename"] if case["filename"] else name.endswith(".txt")


@pytest.mark.parametrize("case", _INPUTS["recipient_cases"], ids=_name)
async def test_recipient_goes_where_it_went_or_where_it_belongs(shared: Service, case: dict[str, Any]):
    text = case["input"]
    reply = await shared.post("/v2/send", {"number": ACCOUNT, "recipients": [text], "message": "x"})
    key: str
    value: object
    if text in RESOLVED_RECIPIENTS:
        match RESOLVED_RECIPIENTS[text]:
            case None:
                assert (reply.status, shared.calls) == (400, [])
                return
            case GroupId(internal):
                key, value = "groupId", internal
            case Username(name):
                key, value = "username", name
            case person:
                key, value = "recipient", str(person)
    elif case["status"] == 400:
        assert (reply.status, reply.error, shared.calls) == (400, case["error"], [])
        return
    else:
        key, value = case["goes_to"].replace("group-id", "groupId"), case["value"]
    assert reply.status == 201, reply.body
    [(_, params)] = shared.calls
    assert params[key] in (value, [value])
