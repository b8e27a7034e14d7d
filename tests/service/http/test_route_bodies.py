"""Every route's body can be read: a type that msgspec refuses shows here, not at the first request."""

import json

import msgspec
import pytest

from signal_courier.http import tables
from signal_courier.http.decoding.lenient import decode
from signal_courier.http.faces import Face
from signal_courier.http.problems import UndecodableBody
from signal_courier.http.routing import Route

WITH_BODY = [route for table in tables.TABLES for route in table if route.body is not None]
LENIENT = [route for route in WITH_BODY if route.face is Face.COMPAT]


def _example_id(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", LENIENT, ids=_example_id)
def test_a_body_of_nulls_is_a_body_without_values(route: Route) -> None:
    assert route.body is not None
    names = [field.encode_name for field in msgspec.structs.fields(route.body)]
    assert decode(json.dumps(dict.fromkeys(names)).encode(), route.body) == decode(b"{}", route.body)


@pytest.mark.parametrize("route", [route for route in WITH_BODY if route.body_example is not None], ids=_example_id)
def test_the_example_of_the_documentation_is_read_in_any_case(route: Route) -> None:
    assert route.body is not None
    assert isinstance(route.body_example, dict)
    shouted = {key.upper(): value for key, value in route.body_example.items()}
    assert decode(json.dumps(shouted).encode(), route.body) == decode(json.dumps(route.body_example).encode(), route.body)


@pytest.mark.parametrize("route", WITH_BODY, ids=_example_id)
def test_a_list_is_no_body(route: Route) -> None:
    assert route.body is not None
    with pytest.raises(UndecodableBody):
        decode(b"[]", route.body)
