"""Errors that need a special situation are worded as signal-cli was seen to word them."""

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signal_courier.engine.base import Json
from signal_courier.engine.errors import EngineError, RpcError, error_of
from signal_courier.engine.simulator import Simulator
from signal_courier.engine.simulator.cast import CODE, HOME, LIMITED, NEWKEY, PIN_LOCKED
from tests.contract.shapes import differences, shape

ERRORS = Path(__file__).parents[1] / "data" / "envelopes" / "errors"


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    made = Simulator(tmp_path / "data", tmp_path / "config", speed=math.inf)
    await made.start(lambda _: None)
    yield made
    await made.stop()


async def failure(simulator: Simulator, method: str, **params: Json) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await simulator.call(method, {"account": HOME, **params})
    return caught.value


def recorded(name: str) -> Any:
    return json.loads((ERRORS / f"{name}.json").read_text())


def agree(found: EngineError, name: str) -> None:
    """Compare code, text, exception and the shape of the partial result."""
    wanted = recorded(name)
    raw = RpcError(wanted["code"], wanted["message"])
    assert (found.code, found.message) == (wanted["code"], wanted["message"])
    assert type(found) is type(error_of(raw))
    if wanted["data"] is not None:
        assert found.response is not None
        partial = shape(json.loads(bytes(found.response)))
        assert list(differences(shape(wanted["data"]["response"]), partial)) == []


async def test_untrusted_identity(simulator: Simulator) -> None:
    agree(await failure(simulator, "send", recipient=NEWKEY, message="x"), "send-untrusted-identity")


async def test_rate_limit_with_a_challenge(simulator: Simulator) -> None:
    agree(await failure(simulator, "send", recipient=LIMITED, message="x"), "send-428-proof-required")


async def test_unknown_challenge(simulator: Simulator) -> None:
    agree(await failure(simulator, "submitRateLimitChallenge", challenge="x", captcha="y"), "submit-challenge-rejected")


async def test_username_of_somebody_else(simulator: Simulator) -> None:
    agree(await failure(simulator, "updateAccount", username="shade.01"), "username-taken")


async def test_number_locked_with_a_pin(simulator: Simulator) -> None:
    await simulator.call("register", {"account": PIN_LOCKED, "captcha": "solved"})
    agree(await failure(simulator, "verify", account=PIN_LOCKED, verificationCode=CODE), "verify-423-pin")


async def test_too_many_devices(simulator: Simulator) -> None:
    code = "sgnl://linkdevice?uuid=abc&pub_key=BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    for _ in range(5):
        await simulator.call("addDevice", {"account": HOME, "uri": code})
    agree(await failure(simulator, "addDevice", uri=code), "add-device-limit")


async def test_some_of_the_recipients(simulator: Simulator) -> None:
    strangers: list[Json] = [NEWKEY, "99999999-9999-4999-8999-999999999999", "u:shade.01"]
    sent = json.loads(bytes(await simulator.call("send", {"account": HOME, "recipient": strangers, "message": "x"})))
    assert {result["type"] for result in sent["results"]} == {"SUCCESS", "UNREGISTERED_FAILURE", "IDENTITY_FAILURE"}
    assert list(differences(shape(recorded("send-mixed-recipients")), shape(sent))) == []
