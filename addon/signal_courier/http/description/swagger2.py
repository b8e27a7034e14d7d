"""The same description as Swagger 2.0, for tools that ask for upstream's `/swagger/doc.json`.

Swagger 2.0 can say less: of several types for one value the first is shown, and one body has one schema.
"""

from collections.abc import Mapping
from typing import Any, Final

type Json = dict[str, Any]

_KEPT: Final = frozenset(
    {"title", "description", "type", "format", "default", "enum", "items", "properties", "required", "additionalProperties", "example"}
    | {"minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"}
)


def converted(openapi: Mapping[str, Any]) -> Json:
    """Convert what `openapi.document` makes; host and schemes are for the caller to add."""
    info = openapi["info"]
    return {
        "swagger": "2.0",
        "info": {
            "title": info["title"],
            "version": info["version"],
            "description": info["description"],
            "license": {"name": info["license"]["name"], "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "basePath": "/",
        "tags": openapi["tags"],
        "paths": {path: {method: _operation(found) for method, found in item.items()} for path, item in openapi["paths"].items()},
        "securityDefinitions": {"basic": {"type": "basic"}, "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        "security": [{"basic": []}, {"key": []}, {}],
        "definitions": {name: _schema(schema) for name, schema in openapi["components"]["schemas"].items()},
        "responses": {name: _response(response) for name, response in openapi["components"]["responses"].items()},
    }


def _operation(operation: Json) -> Json:
    found: Json = {key: operation[key] for key in ("tags", "summary", "description", "operationId") if key in operation}
    parameters = [_parameter(parameter) for parameter in operation.get("parameters", ())]
    if body := operation.get("requestBody"):
        media, content = next(iter(body["content"].items()))
        found["consumes"] = [media]
        if media == "multipart/form-data":
            parameters.append({"name": "file", "in": "formData", "type": "file", "required": True, "description": "The file."})
        else:
            schema = _schema(content["schema"])
            if "example" in content:
                schema = {"allOf": [schema], "example": content["example"]}
            parameters.append({"name": "data", "in": "body", "required": body["required"], "description": "Input data.", "schema": schema})
    if parameters:
        found["parameters"] = parameters
    responses = {status: _response(response) for status, response in operation["responses"].items() if status != "101"}
    produced = [media for response in operation["responses"].values() for media in response.get("content", ())]
    found["produces"] = list(dict.fromkeys(produced)) or ["application/json"]
    found["responses"] = responses
    return found


def _parameter(parameter: Json) -> Json:
    schema = _schema(parameter["schema"])
    schema.pop("title", None)
    found = {"name": parameter["name"], "in": parameter["in"], "description": parameter["description"]}
    if parameter["in"] == "path":
        found["required"] = True
    if schema.get("type") == "array":
        schema["collectionFormat"] = "multi"
    if "example" in parameter:
        found["x-example"] = parameter["example"]
    return found | schema


def _response(response: Json) -> Json:
    if "$ref" in response:
        return {"$ref": response["$ref"].replace("#/components/", "#/")}
    found: Json = {"description": response["description"]}
    if headers := response.get("headers"):
        found["headers"] = {name: {"description": header["description"]} | header["schema"] for name, header in headers.items()}
    for media, content in response.get("content", {}).items():
        if media == "text/plain" and "schema" in found:
            continue
        binary = content["schema"].get("format") == "binary"
        found["schema"] = {"type": "file"} if binary else _schema(content["schema"])
        if "example" in content:
            found["examples"] = {media: content["example"]}
    return found


def _schema(schema: Json) -> Json:
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/definitions/")}
    found = {key: value for key, value in schema.items() if key in _KEPT}
    if examples := schema.get("examples"):
        found["example"] = examples[0]
    if found.get("default", ...) is None:
        del found["default"]
    if not found.get("required", ...):
        del found["required"]  # an empty list is none
    if "const" in schema:
        found["enum"] = [schema["const"]]
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in schema:
            found |= {bound: schema[exclusive], exclusive: True}
    if "anyOf" in schema:
        found = _one_of_several(schema["anyOf"]) | found
        if "$ref" in found:  # stands alone
            return {"allOf": [{"$ref": found.pop("$ref")}], **found}
    if isinstance(found.get("type"), list):
        found["type"] = next(kind for kind in found["type"] if kind != "null")
    if "items" in found:
        found["items"] = _schema(found["items"]) if isinstance(found["items"], dict) else {}
    elif found.get("type") == "array":
        found["items"] = {}
    if "properties" in found:
        found["properties"] = {name: _schema(value) for name, value in found["properties"].items()}
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _schema(found["additionalProperties"])
    return found


def _one_of_several(schemas: list[Json]) -> Json:
    """The first that is not null, which then may be null."""
    kinds = [schema for schema in schemas if schema.get("type") != "null"]
    found = _schema(kinds[0])
    if len(kinds) < len(schemas):
        found["x-nullable"] = True
    return found
