"""The description of the API is complete, valid, and true of itself: its examples are what its schemas say."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi import definitions

from signal_courier.http import tables
from signal_courier.http.description import openapi
from signal_courier.http.routing import Route
from tests.fakes.served import Service, simulated

ROUTES = [route for table in tables.TABLES for route in table]
DOCUMENT = openapi.document(ROUTES)
SCHEMAS = jsonschema_rs.Registry([("urn:document", {"components": DOCUMENT["components"]})])
"""Read once: that takes longer than any check against it."""


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def _name(route: Route) -> str:
    return f"{route.method} {re.sub(r':path}', '}', route.path)}"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with simulated(tmp_path) as running:
        yield running


def test_every_route_is_there_once():
    assert sorted(name for name, _ in operations()) == sorted(_name(route) for route in ROUTES if route.documented)
    assert all(route.documented for route in ROUTES)


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(set(ids)) == len(ids)


def test_types_of_different_routes_have_different_names():
    assert not [name for name in DOCUMENT["components"]["schemas"] if "." in name], "msgspec qualifies names that are there twice"


def test_every_time_is_whole_milliseconds():
    times = [
        (name, member, told)
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for member, told in schema.get("properties", {}).items()
        if re.search(r"since (1970|the epoch)", told.get("description", ""))
    ]
    assert len(times) > 8
    for name, member, told in times:
        kinds = {told.get("type"), *(part.get("type") for part in told.get("anyOf", ()))}
        assert "number" not in kinds, f"{name}.{member}"
        assert re.search("ms|[Mm]illiseconds", told["description"]), f"{name}.{member}"


def test_every_topic_is_described():
    assert not [tag["name"] for tag in DOCUMENT["tags"] if not tag["description"]]


@pytest.mark.parametrize("name,operation", list(operations()), ids=lambda value: value if isinstance(value, str) else "")
class TestEveryOperation:
    def test_says_what_it_does(self, name: str, operation: dict[str, Any]):
        assert 5 < len(operation["summary"]) < 80, name
        described = re.sub(r"Needs a token with the scope `\w+`\.", "", operation["description"]).strip()
        assert len(described) > 20, f"{name}: what is there to know about it?"

    def test_documents_success_and_failure(self, name: str, operation: dict[str, Any]):
        statuses = {int(status) for status in operation["responses"]}
        assert statuses & {101, 200, 201, 202, 204}
        assert {401, 403, 500} <= statuses
        if "parameters" in operation or "requestBody" in operation:
            assert 400 in statuses
        if "requestBody" in operation:
            assert {408, 413} <= statuses

    def test_describes_its_parameters(self, name: str, operation: dict[str, Any]):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], parameter["name"]

    def test_has_examples_that_fit_their_schemas(self, name: str, operation: dict[str, Any]):
        for where, content in _contents(operation):
            schema = content["schema"]
            if schema.get("format") == "binary" or "properties" in schema:
                continue
            assert "example" in content, f"{where} has no example"
            _check(schema, content["example"], where)
        for parameter in operation.get("parameters", ()):
            if "example" in parameter:
                _check(parameter["schema"], parameter["example"], parameter["name"])


def test_examples_within_schemas_fit_too():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, inner in schema.get("properties", {}).items():
            for example in inner.get("examples", ()):
                _check(inner, example, f"{name}.{field}")


async def test_openapi_is_valid(service: Service):
    reply = await service.get("/openapi.json")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert not [error.message for error in definitions.OPENAPI_31_VALIDATOR.iter_errors(reply.json)]


async def test_swagger_2_is_valid_and_has_the_same_operations(service: Service):
    reply = await service.get("/swagger/doc.json")
    assert not [error.message for error in definitions.SWAGGER_20_VALIDATOR.iter_errors(reply.json)]
    swagger = {f"{method.upper()} {path}" for path, item in reply.json["paths"].items() for method in item}
    assert swagger == {name for name, _ in operations()}
    assert reply.json["host"] == f"127.0.0.1:{service.courier.server.port}"
    assert "#/components" not in reply.body.decode()


@pytest.mark.parametrize(
    "settings,host,server",
    [
        ({"swagger_host": "signal.example.org"}, "signal.example.org", "http://signal.example.org/"),
        ({"swagger_host": "signal.example.org", "swagger_https": True}, "signal.example.org", "https://signal.example.org/"),
        ({"swagger_host": "192.0.2.7"}, "192.0.2.7:0", "http://192.0.2.7:0/"),
    ],
)
async def test_settings_name_another_host(tmp_path: Path, settings: dict[str, Any], host: str, server: str):
    async with simulated(tmp_path, **settings) as service:
        swagger = (await service.get("/swagger/doc.json")).json
        assert swagger["host"] == host
        assert swagger["schemes"][0] == server.partition(":")[0]
        assert (await service.get("/openapi.json")).json["servers"] == [{"url": server}]


@pytest.mark.parametrize("path,server", [("/openapi.json", "./"), ("/docs/openapi.json", "../"), ("/d/0.100/openapi.json", "./")])
async def test_server_is_relative_so_that_a_prefix_does_no_harm(service: Service, path: str, server: str):
    assert (await service.get(path)).json["servers"] == [{"url": server}]


async def test_page_asks_no_other_server(service: Service):
    page = await service.get("/swagger/index.html")
    assert page.headers["Content-Type"].startswith("text/html")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(addresses) >= 4
    assert not [address for address in addresses if "//" in address or address.startswith("/")]
    for address in addresses:
        if not address.startswith("../"):
            assert (await service.get(f"/swagger/{address}")).status == 200, address


@pytest.mark.parametrize(
    "path,target",
    [
        ("/docs", "swagger/index.html"),
        ("/docs/", "../swagger/index.html"),
        ("/swagger", "swagger/index.html"),
        ("/swagger/", "../swagger/index.html"),
    ],
)
async def test_short_addresses_lead_to_the_page(service: Service, path: str, target: str):
    reply = await service.get(path)
    assert (reply.status, reply.headers["Location"]) == (302, target)


@pytest.mark.parametrize("name", ["..%2f__init__.py", "%2e%2e%2fcore.py", "swagger-editor.js", "nope", "..%5ccore.py"])
async def test_no_other_file_is_served(service: Service, name: str):
    assert (await service.get(f"/swagger/{name}")).status == 404


def _contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body as {media}", content
    for status, response in operation["responses"].items():
        found = response
        if "$ref" in found:
            found = DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]]
        for media, content in found.get("content", {}).items():
            yield f"{status} as {media}", content


def _check(schema: dict[str, Any], example: object, where: str) -> None:
    schema = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    validator = jsonschema_rs.Draft202012Validator(schema, registry=SCHEMAS)
    assert not [f"{where}: {error.message}" for error in validator.iter_errors(example)]
