"""A request finds its route by its raw path, whatever way the client spelled it."""

import pytest
from aiohttp import web

from signal_courier.http.answers import empty
from signal_courier.http.call import Call, decode_again
from signal_courier.http.routing import Router, RouteTable
from signal_courier.model.dialects import Dialect
from signal_courier.model.errors import InvalidValue

_RAW_GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj6/iMwI="


async def _handler(call: Call[None, None]) -> web.StreamResponse:
    del call
    return empty()


def _router() -> Router:
    table = RouteTable("Test")
    for method, path in [
        ("GET", "/v1/about"),
        ("GET", "/v1/groups/{number}"),
        ("GET", "/v1/groups/{number}/{groupid:path}"),
        ("POST", "/v1/groups/{number}/{groupid:path}/join"),
        ("POST", "/v1/register/{number}"),
        ("POST", "/v1/register/{number}/verify/{token}"),
    ]:
        table.add(method, path, scope=None)(_handler)
    return Router([table])


def _path(method: str, raw: str) -> dict[str, str] | None:
    match = _router().match(method, raw)
    return None if match is None else dict(match.path)


def test_fixed_path_is_found():
    assert _path("GET", "/v1/about") == {}


def test_trailing_slash_and_query_are_served_directly():
    assert _path("GET", "/v1/about/") == {}
    assert _path("GET", "/v1/about?x=/v1/nope") == {}


@pytest.mark.parametrize("method,raw", [("GET", "/v1/nope"), ("POST", "/v1/about"), ("HEAD", "/v1/about"), ("GET", "/"), ("GET", "/v1")])
def test_unknown_path_or_method_is_nothing(method: str, raw: str):
    assert _path(method, raw) is None


def test_encoded_slash_stays_inside_its_segment():
    encoded = _RAW_GROUP.replace("/", "%2F").replace("+", "%2B")
    assert _path("GET", f"/v1/groups/%2B4915100000001/{encoded}") == {"number": "+4915100000001", "groupid": _RAW_GROUP}


def test_raw_group_id_with_a_slash_is_one_parameter():
    assert _path("GET", f"/v1/groups/+4915100000001/{_RAW_GROUP}") == {"number": "+4915100000001", "groupid": _RAW_GROUP}
    assert _path("POST", f"/v1/groups/+4915100000001/{_RAW_GROUP}/join") == {"number": "+4915100000001", "groupid": _RAW_GROUP}


def test_invite_link_in_the_path_is_one_parameter():
    found = _path("POST", "/v1/groups/+4915100000001/https://signal.group/%23abc/join")
    assert found == {"number": "+4915100000001", "groupid": "https://signal.group/#abc"}


def test_dialect_is_asked_for_by_prefix():
    match = _router().match("GET", "/d/0.100/v1/about")
    assert match is not None
    assert match.dialect is Dialect.V0_100
    assert _router().match("GET", "/d/0.9/v1/about") is None


def test_the_longer_fixed_path_wins_over_a_parameter():
    match = _router().match("POST", "/v1/register/+4915100000001/verify/123-456")
    assert match is not None
    assert match.route.path == "/v1/register/{number}/verify/{token}"


def test_a_route_cannot_be_declared_twice():
    table = RouteTable("Test")
    table.add("GET", "/v1/about", scope=None)(_handler)
    table.add("GET", "/v1/about", scope=None)(_handler)
    with pytest.raises(ValueError, match="declared twice"):
        Router([table])


def test_doubly_encoded_number_is_decoded_again():
    assert decode_again("%2B4915100000001") == "+4915100000001"


@pytest.mark.parametrize("broken", ["%", "%2", "%zz4915", "+49%"])
def test_broken_second_encoding_is_named(broken: str):
    with pytest.raises(InvalidValue, match="malformed number"):
        decode_again(broken)


def test_very_long_paths_end_quickly():
    assert _path("GET", "/v1/groups/" + "/".join("x" * 2000)) is None
