"""What every route declares holds together."""

from collections.abc import Iterable, Iterator

import msgspec
import pytest
from msgspec import inspect

from signal_courier.http import tables
from signal_courier.http.decoding.lenient import decode
from signal_courier.http.faces import Face
from signal_courier.http.routing import Route, Router
from signal_courier.model.integers import GREATEST, LEAST

TABLES = tables.TABLES
OPEN = {"/v1/about", "/v1/health", "/api/v2/problems", "/api/v2/health", "/api/v2/tokens/self", "/api/v1/check", "/api/v1/rpc"}
"""For everybody who may connect; of `/api/v1/rpc` each method has a scope of its own."""
ROUTES = [route for table in TABLES for route in table]


def named(routes: Iterable[Route]) -> list[object]:
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


def test_no_two_handlers_have_one_name() -> None:
    names = [route.name for route in Router(TABLES).routes]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", named(ROUTES))
def test_a_route_says_what_it_does_and_who_may(route: Route) -> None:
    assert route.summary
    assert route.answers
    assert route.scope is not None or route.path in OPEN


@pytest.mark.parametrize("route", named(route for route in ROUTES if route.body is not None))
def test_a_body_of_the_drop_in_routes_can_be_empty_and_every_example_fits(route: Route) -> None:
    assert route.body is not None
    if route.face is Face.COMPAT:
        decode(b"{}", route.body)
    assert route.body_example is not None
    decode(msgspec.json.encode(route.body_example), route.body)


@pytest.mark.parametrize("route", named(route for route in ROUTES if route.body is not None))
def test_no_number_of_a_body_has_more_than_64_bits(route: Route) -> None:
    assert route.body is not None
    for field, number in whole_numbers(inspect.type_info(route.body), ""):
        assert number.ge is not None, field
        assert number.le is not None, field
        assert LEAST <= number.ge <= number.le <= GREATEST, field


def whole_numbers(kind: inspect.Type, field: str) -> Iterator[tuple[str, inspect.IntType]]:
    """Every whole number within a type, by the field that holds it."""
    match kind:
        case inspect.IntType():
            yield field, kind
        case inspect.Metadata(type=content) | inspect.ListType(item_type=content) | inspect.DictType(value_type=content):
            yield from whole_numbers(content, field)
        case inspect.UnionType(types=several):
            for alternative in several:
                yield from whole_numbers(alternative, field)
        case inspect.StructType(fields=fields):
            for inner in fields:
                yield from whole_numbers(inner.type, inner.encode_name)


@pytest.mark.parametrize("route", named(ROUTES))
def test_the_examples_of_answers_have_their_form(route: Route) -> None:
    for answer in route.answers:
        if answer.example is not None and answer.media == "application/json":
            assert answer.type is not None
            msgspec.convert(answer.example, answer.type)
