"""Every route × everybody who may ask: made of the route table, so that a new route is in it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signal_courier.access import throttle
from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import Tokens, new_token, now_ms
from signal_courier.http.faces import Face
from signal_courier.http.routing import Route
from tests.fakes.served import ACCOUNT, Service, simulated
from tests.service.access.reached import ROUTES, Marked, marked, path_of

OTHER = "+4915100000098"
STRANGER = "+4915100000097"
QUERIES = {
    "/v1/search": "?numbers=%2B4915100000002",
    "/api/v2/events": "?account=%2B4915100000001",
    "/api/v1/events": "?account=%2B4915100000001",
}
FILTERED = {"/v1/accounts", "/api/v1/devices", "/api/v2/status", "/api/v2/accounts", "/api/v2/registrations"}
"""Routes that leave out what a token may not see, instead of refusing."""


async def _token(tokens: Tokens, *scopes: Scope, **limits: Any) -> dict[str, str]:
    _, secret = await tokens.create(new_token("matrix", scopes or list(Scope), **limits))
    return {"Authorization": f"Bearer {secret}"}


async def _everybody(tokens: Tokens) -> dict[str, dict[str, str]]:
    revoked, secret = await tokens.create(new_token("matrix", list(Scope)))
    await tokens.revoke(revoked.id)
    expired = await _token(tokens, expires_at=now_ms() + 50)
    return {
        "no token": {},
        "wrong": {"Authorization": "Bearer sgc_" + "A" * 43},
        "revoked": {"Authorization": f"Bearer {secret}"},
        "expired": expired,
        **{f"scope {scope}": await _token(tokens, scope) for scope in Scope},
        "own account": await _token(tokens, accounts=[ACCOUNT]),
        "other account": await _token(tokens, accounts=[OTHER]),
        "other recipient": await _token(tokens, recipients=[STRANGER]),
    }


def _expected(route: Route, who: str) -> int:
    match who.split():
        case ["no", _] | ["wrong"] | ["revoked"] | ["expired"]:
            return 401
        case ["scope", scope]:
            return 200 if route.scope in (None, scope) or scope == Scope.ADMIN else 403
        case ["own", _]:
            return 403 if route.account_parameter is None and route.accounts is Reach.UNLIMITED else 200
        case ["other", "account"]:
            return 403 if route.account_parameter is not None or route.accounts is Reach.UNLIMITED else 200
    return 403 if route.recipients is Reach.UNLIMITED else 200


@pytest.fixture
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BURST", 10**9)


@pytest.mark.slow
async def test_every_route_gives_everybody_exactly_what_it_declares(
    tmp_path: Path, unthrottled: None, capsys: pytest.CaptureFixture
) -> None:
    wrong, asked = [], 0
    async with marked(tmp_path) as service:
        everybody = await _everybody(service.courier.tokens)
        for who, headers in everybody.items():
            for route in ROUTES:
                found = await _ask(service, route, headers)
                asked += 1
                if found != _expected(route, who):
                    wrong.append(f"{route.method} {route.path}, {who}: {found} instead of {_expected(route, who)}")
        assert len(service.reached) == sum(_expected(route, who) == 200 for who in everybody for route in ROUTES)
    with capsys.disabled():
        print(f" {len(ROUTES)} routes x {len(everybody)} callers = {asked} requests, {len(service.reached)} let through", end="")
    assert not wrong, "\n".join(wrong)


async def _ask(service: Marked, route: Route, headers: dict[str, str]) -> int:
    answer = await service.request(route.method, path_of(route) + QUERIES.get(route.path, ""), route.body_example, **headers)
    return answer.status


async def test_open_lets_everybody_to_the_drop_in_routes_and_nobody_to_the_others(tmp_path: Path) -> None:
    async with marked(tmp_path, auth="open") as service:
        for route in ROUTES:
            dropin = route.path.startswith(("/v1/", "/v2/", "/swagger", "/docs", "/openapi.json"))
            assert await _ask(service, route, {}) == (200 if dropin else 401), route.path


def _naming_the_account(route: Route) -> tuple[str, Any]:
    """Query and body of the example, naming the account where it can be named."""
    query, body = QUERIES.get(route.path, ""), route.body_example
    if not query and route.query is not None and "account" in route.query.__struct_fields__:
        query = "?account=%2B" + ACCOUNT[1:]
    for name in ("account", "number"):
        if route.body is not None and name in route.body.__struct_fields__ and isinstance(body, dict):
            body = {**body, name: ACCOUNT}
    return query, body


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with simulated(tmp_path, default_account=ACCOUNT) as running:
        yield running


async def test_what_only_the_body_names_is_checked_before_anything_is_done(service: Service) -> None:
    """With the real handlers: every route that says it checks accounts or recipients itself."""
    wrong = []
    sent = await service.request("POST", "/api/v2/messages", {"account": ACCOUNT, "recipients": ["+4915100000011"], "text": "x", "wait": 0})
    real = {"message": sent.json["id"]}
    for list_, limits in (("accounts", {"accounts": [OTHER]}), ("recipients", {"recipients": [STRANGER]})):
        headers = await _token(service.courier.tokens, **limits)
        checked = [route for route in ROUTES if getattr(route, list_) is Reach.CHECKED and route.scope is not None]
        assert checked
        for route in checked:
            hidden = list_ == "accounts" and "{message}" in route.path
            if list_ == "accounts" and route.account_parameter is not None:
                continue
            query, body = _naming_the_account(route)
            answer = await service.request(route.method, path_of(route, **real) + query, body, **headers)
            if route.path in FILTERED and route.method == "GET":
                if answer.status != 200 or ACCOUNT.encode() in answer.body:
                    wrong.append(f"{route.path} tells of an account that is not the token's")
            elif answer.status != (404 if hidden else 403):
                wrong.append(f"{route.method} {route.path}, {list_}: {answer.status} {answer.body[:150]!r}")
    assert not wrong, "\n".join(wrong)


async def test_whoever_may_is_not_refused(service: Service) -> None:
    """The same with the recipients of the examples allowed."""
    people = ["+4915100000002", "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="]
    headers = await _token(service.courier.tokens, accounts=[ACCOUNT], recipients=people)
    for route in ROUTES:
        if route.recipients is Reach.CHECKED and route.face is Face.COMPAT and route.path != "/v1/stories/{number}":
            answer = await service.request(route.method, path_of(route), route.body_example, **headers)
            assert answer.status not in (401, 403), route.path


def test_every_route_has_a_scope_or_is_known_to_need_none() -> None:
    documents = {"/openapi.json", "/docs/openapi.json", "/swagger/doc.json", "/swagger/{file}", "/swagger", "/docs"}
    harmless = {"/v1/about", "/v1/health", "/api/v2/problems", "/api/v2/health", "/api/v2/tokens/self", "/api/v1/check"}
    checked_by_method = {"/api/v1/rpc"}
    assert {route.path for route in ROUTES if route.scope is None} <= documents | harmless | checked_by_method


def test_to_trust_a_safety_number_is_for_whoever_manages_the_account() -> None:
    """Who may only look people up cannot let a new key in."""
    scopes = {route.scope for route in ROUTES if "/trust" in route.path}
    assert scopes == {Scope.ACCOUNTS}


async def test_a_group_is_changed_with_the_scope_of_groups_by_every_address(service: Service) -> None:
    (group,) = (await service.get(f"/v1/groups/{ACCOUNT}")).json
    for scopes, status in (([Scope.CONTACTS], 403), ([Scope.CONTACTS, Scope.GROUPS], 204)):
        _, secret = await service.courier.tokens.create(new_token("matrix", scopes))
        path = f"/api/v2/conversations/{group['id']}?account=%2B{ACCOUNT[1:]}"
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await service.request("PATCH", path, {"expires_in": 60}, **headers)).status == status
        assert (await service.request("PATCH", path, {"blocked": False}, **headers)).status == status
