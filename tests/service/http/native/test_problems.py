"""Errors of `/api/v2`: RFC 9457, with a type that a program can decide by."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import new_token
from signal_courier.engine import errors
from signal_courier.engine.errors import RpcError, error_of
from signal_courier.http.native.problems import KINDS, PREFIX, problem_of
from tests.fakes.served import Service, served


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, {}) as running:
        yield running


async def test_an_unknown_address_is_a_problem_below_api_v2_and_upstreams_text_elsewhere(service: Service) -> None:
    answer = await service.get("/api/v2/nothing")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json["type"] == "urn:signal-courier:problem:not-found"
    assert answer.json["status"] == 404
    answer = await service.get("/v1/nothing")
    assert (answer.status, answer.body) == (404, b"404 page not found")


async def test_the_wrong_method_names_the_right_ones(service: Service) -> None:
    answer = await service.request("DELETE", "/api/v2/problems")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.json["type"] == PREFIX + "method-not-allowed"


async def test_every_kind_is_listed_once_with_what_to_do(service: Service) -> None:
    listed = (await service.get("/api/v2/problems")).json["problems"]
    assert len({kind["type"] for kind in listed}) == len(listed) == len(KINDS)
    assert all(kind["advice"] and kind["title"] for kind in listed)
    by_person = {kind["type"].removeprefix(PREFIX) for kind in listed if kind["by_person"]}
    assert by_person >= {"captcha-required", "pin-required", "untrusted-identity", "unlinked", "profile-name-missing", "device-expiring"}


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (-1, "Captcha required for verification, use --captcha CAPTCHA", "captcha-required"),
        (-6, "Captcha rejected", "captcha-rejected"),
        (-1, "Verification failed! This number is locked with a pin. Hours remaining until reset: 47", "pin-required"),
        (-4, "Failed to send message due to untrusted identities", "untrusted-identity"),
        (-5, "Rate limit", "rate-limited"),
        (-3, "Connection refused", "signal-unreachable"),
        (-32601, "Method not implemented", "unsupported"),
        (-32602, "Specified account does not exist", "account-unknown"),
        (-32603, "NullPointerException", "engine-fault"),
        (-1, "Something else", "refused"),
    ],
)
def test_what_signal_cli_says_becomes_a_kind(code: int, text: str, kind: str) -> None:
    found = problem_of(error_of(RpcError(code=code, message=text)), "+4915100000001")
    assert found.type == PREFIX + kind
    assert found.status == KINDS[kind].status
    assert found.detail == text
    assert found.account == "+4915100000001" or kind == "unsupported"


def test_the_lock_says_how_long_and_the_limit_how_to_lift_it() -> None:
    locked = problem_of(error_of(RpcError(code=-1, message="locked with a pin. Hours remaining until reset: 47")))
    assert locked.lock_hours == 47
    limited = errors.RateLimited("Rate limit", code=-5)
    limited.tokens, limited.retry_after = ("token",), 90
    found = problem_of(limited)
    assert (found.challenge_tokens, found.retry_after) == (("token",), 90)
    assert found.captcha_url is not None


async def test_a_body_of_another_form_names_the_member_that_is_meant(service: Service) -> None:
    for body, field in (({"recipients": "x", "text": "Hi"}, "recipients"), ({"text": "Hi"}, "recipients"), ([], None)):
        answer = await service.post("/api/v2/messages", body)
        assert (answer.status, answer.json["type"], answer.json.get("field")) == (400, PREFIX + "invalid-body", field)


async def test_head_asks_about_what_get_answers_and_makes_and_takes_nothing(service: Service) -> None:
    got = await service.get("/api/v2/problems")
    asked = await service.request("HEAD", "/api/v2/problems")
    assert (asked.status, asked.body, asked.headers["Content-Length"]) == (200, b"", str(len(got.body)))
    assert (await service.request("HEAD", "/api/v2/attachments/nothing.jpg")).status == 404
    for path, allowed in (("/api/v2/backup", "GET"), ("/api/v2/events", "GET"), ("/api/v2/tokens", "GET, HEAD, POST")):
        refused = await service.request("PUT", path)
        assert (refused.status, refused.headers["Allow"]) == (405, allowed)
        assert path == "/api/v2/tokens" or (await service.request("HEAD", path)).status == 405
    assert (await service.request("HEAD", "/v1/about")).status == 404, "upstream's answer"


async def test_head_wants_what_get_wants(tmp_path: Path) -> None:
    async with served(tmp_path, trust_loopback=False) as service:
        assert (await service.request("HEAD", "/api/v2/status")).status == 401
        _, secret = await service.courier.tokens.create(new_token("sender", [Scope.SEND]))
        assert (await service.request("HEAD", "/api/v2/status", **{"X-Api-Key": secret})).status == 403
