"""The API's description: OpenAPI 3.1, made of the route table and of the types that the routes declare.

Nothing is written twice: paths, parameters, bodies and answers are the routes' own; what every route can answer to a bad request or a
missing signal-cli comes from `http.problems`, its examples included.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import web

from signal_courier import __version__
from signal_courier.access.scopes import Scope
from signal_courier.engine import errors
from signal_courier.http import once
from signal_courier.http.description.field_docs import field_docs
from signal_courier.http.faces import Face
from signal_courier.http.gateway.common import trouble
from signal_courier.http.native import problems as native
from signal_courier.http.problems import (
    Forbidden,
    NoSpace,
    NotAllowed,
    Problem,
    SlowBody,
    Throttled,
    Unauthorized,
    UndecodableBody,
    answer_to,
    problem,
)
from signal_courier.http.routing import Answer, Example, Route
from signal_courier.messaging.sending.outbox import KeyReused
from signal_courier.model.attachments import Content
from signal_courier.model.errors import InvalidValue, TooLarge

type Json = dict[str, Any]

_ACCEPTED: Final[Json] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}

_REFS: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"

_ABOUT: Final = """\
Everything that clients of bbernhard/signal-cli-rest-api and of python-signal-cli-rest-api call, and more.

* `/v1` and `/v2` answer as signal-cli-rest-api does; errors are `{"error", …}`.
* `/api/v2` is for new programs; errors are problems (RFC 9457): decide by `type`, of which `GET /api/v2/problems` lists all.
* `/api/v1` has a messaging gateway's routes, and signal-cli's own (`rpc`, `events`, `check`).

From other machines every call needs a token: as Bearer, as Basic password, as `X-Api-Key`, or in the path, `/t/<token>/…`. *Authorize*
keeps one for this page. Routes that send take `Idempotency-Key`, so that nothing is sent twice, and `Prefer: respond-async`, so that nobody
waits.

Every path can also be called as `/d/<dialect>/…` with the dialect `0.101`, `0.100` or `morph027`; without, the server's setting counts.
A request's body is JSON whatever its `Content-Type` says. Numbers and group ids may be percent-encoded in a path, once or twice.
"""

_TOPICS: Final[Mapping[str, str]] = {
    "General": "What this service is.",
    "Configuration": "How much is logged, and whom an account trusts.",
    "Devices": "Register a number, link this server to a phone, manage linked devices.",
    "Accounts": "The accounts of this server and their settings.",
    "Profiles": "Name, text and picture that others see.",
    "Messages": "Send and receive.",
    "Events": "The native API: what happens, as it happens and again later.",
    "signal-cli": "The HTTP face of signal-cli's own daemon.",
    "Status": "How the service is, what its problems mean, numbers for Prometheus.",
    "Links": "Join as a second device of a phone.",
    "Registrations": "A number of one's own, step by step.",
    "Gateway": "The contract of a messaging gateway, for the platform `signal`: credentials, tokens, devices, messages, webhooks.",
    "Conversations": "People and groups under one roof.",
    "Stickers": "Packs and their pictures.",
    "Reactions": "Emoji on messages.",
    "Receipts": "Tell that a message was read or viewed.",
    "Polls": "Ask, vote, close.",
    "Stories": "Pictures and videos for a day.",
    "Calls": "Voice calls, where signal-cli has them.",
    "Attachments": "Files that were received, and files to be sent.",
    "Groups": "Make, change, join and leave groups.",
    "Contacts": "Names, timers, blocked people.",
    "Identities": "Safety numbers.",
    "Search": "Who is on Signal.",
    "Webhooks": "Events posted to an address: signed, in order, tried again; with a log and replay.",
    "Access": "Tokens, and the log of who did what.",
    "Sticker Packs": "Installed sticker packs.",
}

SECURITY: Final[Mapping[str, Json]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token: `Authorization: Bearer sgc_…`."},
    "basic": {"type": "http", "scheme": "basic", "description": "A token as the password, with any user."},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A token."},
}
"""The ways to show a token, beside `/t/<token>/` before any path; programs on the same machine need none."""

_NUMBER: Final = {"type": "string", "minLength": 1}
_PATH_PARAMETERS: Final[Mapping[str, tuple[str, Json, str]]] = {
    "number": ("The account, by its number.", _NUMBER, "+4915100000001"),
    "recipient": ("Number, UUID, username or group id; `_` may stand for the `/` of a group id.", _NUMBER, "+4915100000002"),
    "numberToTrust": ("Number or UUID of the person.", _NUMBER, "+4915100000002"),
    "groupid": (
        "The group: `group.…`, or signal-cli's own id.", {"type": "string", "minLength": 1},
        "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0=",
    ),
    "uuid": ("UUID, number or username of the person.", {"type": "string", "minLength": 1}, "11111111-1111-4111-8111-111111111111"),
    "attachment": ("The attachment's name.", {"type": "string", "minLength": 1}, "BxJIwmVr9zpmWIpZiLZ9.jpg"),
    "token": ("The code from the SMS or call.", {"type": "string", "minLength": 1}, "123-456"),
    "deviceId": ("The device's number in the list of devices.", {"type": "string", "minLength": 1}, "2"),
    "token_id": ("The token's id in the list of tokens.", {"type": "string", "minLength": 1}, "tok_5f0c2bd0d4a1"),
    "message": ("The message's id.", {"type": "string", "minLength": 1}, "msg_42"),
    "consumer": ("The consumer's name.", {"type": "string", "minLength": 1}, "home-assistant"),
    "link": ("The link's id.", {"type": "string", "minLength": 1}, "6yFhXvM3nTqk0m1bq8aZcg"),
    "device": ("The device's number in the list of devices.", {"type": "string", "minLength": 1}, "2"),
    "conversation": ("UUID, number or username of the person, or `group.…`.", _NUMBER, "11111111-1111-4111-8111-111111111111"),
    "group": ("The group: `group.…`.", _NUMBER, "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="),
    "file": ("The file's id.", {"type": "string", "minLength": 1}, "BxJIwmVr9zpmWIpZiLZ9.jpg"),
    "pack": ("The pack's id, in hex.", {"type": "string", "minLength": 1}, "9a32eda01a7a28574f2eb48668ae0dc4"),
    "sticker": ("The sticker's number in its pack.", {"type": "string", "minLength": 1}, "0"),
    "webhook_id": ("The webhook's id in the list of webhooks.", {"type": "string", "minLength": 1}, "wh_0123456789abcdef"),
    "gateway_webhook": ("The webhook's number in the list of webhooks.", {"type": "string", "minLength": 1}, "1"),
    "client_id": ("The credential's client id.", {"type": "string", "minLength": 1}, "my-app"),
    "gateway_token": ("The token's number in the list of tokens.", {"type": "string", "minLength": 1}, "1"),
    "device_id": ("The account's number, with or without `+`.", {"type": "string", "minLength": 1}, "4915100000001"),
    "call_id": ("The call's id in the list of calls.", {"type": "string", "minLength": 1}, "123456789"),
}  # fmt: skip
"""Description, schema, example."""


def document(routes: Iterable[Route], servers: Sequence[str] = ()) -> Json:
    """The whole description, for `json.encode`. `servers` are addresses, relative ones count from the document's own."""
    listed = [route for route in routes if route.documented]
    schemas = _Schemas(listed)
    paths: dict[str, Json] = {}
    for route in listed:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signal Courier",
            "version": __version__,
            "summary": "A REST, WebSocket and webhook service in front of signal-cli.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": address} for address in servers],
        "tags": [{"name": tag, "description": _TOPICS.get(tag, "")} for tag in dict.fromkeys(route.tag for route in listed)],
        "paths": paths,
        "components": {"schemas": schemas.components, "responses": _shared_responses() | _native_responses(), "securitySchemes": SECURITY},
        "security": [*({name: []} for name in SECURITY), {}],
    }


def _path(route: Route) -> str:
    return re.sub(r"\{(\w+):path\}", r"{\1}", route.path)


# --- types ---------------------------------------------------------------------------------------------------------------


class _Schemas:
    """JSON Schemas of everything that the routes mention, by type."""

    def __init__(self, routes: Sequence[Route]) -> None:
        types: list[object] = [Problem, native.ProblemDetails]
        for route in routes:
            types += [kind for kind in (route.body, route.query) if kind is not None]
            types += [answer.type for answer in route.answers if answer.type is not None]
        distinct = list({id(kind): kind for kind in types}.values())
        found, components = msgspec.json.schema_components(distinct, schema_hook=_schema_of_ours, ref_template=_REFS)
        self._by_type = {id(kind): schema for kind, schema in zip(distinct, found, strict=True)}
        self._types = distinct  # their ids are in use
        self.components: dict[str, Json] = components
        self._describe(_structs_in(distinct))
        queries = {_reference(self._by_type[id(route.query)]) for route in routes if route.query is not None}
        self._queries = {name: self.components.pop(name) for name in queries}

    def of(self, kind: object) -> Json:
        """The schema of a body or an answer."""
        return self._by_type[id(kind)]

    def query(self, kind: type[msgspec.Struct]) -> Json:
        """The schema of a query, with its properties."""
        return self._queries[_reference(self._by_type[id(kind)])]

    def _describe(self, structs: Iterable[type[msgspec.Struct]]) -> None:
        for struct in structs:
            schema = self.components.get(struct.__name__)
            for name, text in field_docs(struct).items() if schema is not None else ():
                properties = schema["properties"]  # type: ignore[index]  # a struct's schema has properties
                if name in properties:
                    properties[name] = {"description": text} | properties[name]


def _schema_of_ours(kind: type) -> Json:
    if kind is object:
        return {"description": "Anything."}
    if kind is Content:
        return {"type": "string"}
    raise NotImplementedError


def _reference(schema: Json) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _structs_in(types: Iterable[object]) -> Iterable[type[msgspec.Struct]]:
    """Every struct that is part of these types."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting: list[object] = [msgspec.inspect.type_info(kind) for kind in types]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                continue
            found[info.cls] = None
            waiting += [field.type for field in info.fields]
        elif isinstance(info, msgspec.inspect.UnionType):
            waiting += info.types
        elif isinstance(info, msgspec.inspect.Metadata):
            waiting.append(info.type)
        elif isinstance(info, msgspec.inspect.DictType):
            waiting.append(info.value_type)
        elif isinstance(info, msgspec.inspect.CollectionType):
            waiting.append(info.item_type)
    return found


# --- one route -----------------------------------------------------------------------------------------------------------


def _operation(route: Route, schemas: _Schemas) -> Json:
    operation: Json = {"tags": [route.tag], "summary": route.summary, "operationId": route.name}
    told = [route.description, f"Needs a token with the scope `{route.scope}`." if route.scope is not None else ""]
    if any(told):
        operation["description"] = "\n\n".join(filter(None, told))
    if parameters := [*_path_parameters(route), *_query_parameters(route, schemas), *_header_parameters(route)]:
        operation["parameters"] = parameters
    if body := _body(route, schemas):
        operation["requestBody"] = body
    operation["responses"] = _FACES[route.face](route, schemas)
    if route.sends:
        accepted = {
            "description": "Queued, as `Prefer: respond-async` asked for.",
            "content": {_JSON: _content(_ACCEPTED, {"id": "msg_1"})},
        }
        operation["responses"].setdefault("202", accepted)
        if route.face is Face.COMPAT:
            reused = _problem("The `Idempotency-Key` was used for another request.", 422, _told(answer_to(KeyReused())))
            operation["responses"].setdefault("422", reused)
        operation["responses"] = dict(sorted(operation["responses"].items()))
    return operation


def _path_parameters(route: Route) -> Iterable[Json]:
    for name in re.findall(r"\{(\w+)(?::path)?\}", route.path):
        text, schema, example = _PATH_PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema, "example": example}


def _query_parameters(route: Route, schemas: _Schemas) -> Iterable[Json]:
    if route.query is None:
        return
    for name, schema in schemas.query(route.query).get("properties", {}).items():
        inner = dict(schema)
        parameter: Json = {"name": name, "in": "query", "description": inner.pop("description", "")}
        if examples := inner.pop("examples", None):
            parameter["example"] = examples[0]
        if inner.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        yield parameter | {"schema": inner}


def _header_parameters(route: Route) -> Iterable[Json]:
    if route.sends:
        for name, (text, schema) in once.HEADERS.items():
            yield {"name": name, "in": "header", "description": text, "schema": schema}


def _body(route: Route, schemas: _Schemas) -> Json | None:
    if route.uploads:
        file: Json = {"type": "string", "format": "binary"}
        form = {"type": "object", "properties": {"file": file}, "required": ["file"]}
        return {"required": True, "content": {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": file}}}
    if route.body is None:
        return None
    content = {_JSON: _content(schemas.of(route.body), route.body_example)}
    if route.form:
        files = {"type": "string", "format": "binary"}
        info = msgspec.inspect.type_info(route.body)
        assert isinstance(info, msgspec.inspect.StructType)
        fields = {known.name: files if _is_file(known.type) else {"type": "string"} for known in info.fields}
        content["multipart/form-data"] = {"schema": {"type": "object", "properties": fields}}
    return {"required": not route.body_optional, "content": content}


def _is_file(info: msgspec.inspect.Type) -> bool:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return isinstance(info, msgspec.inspect.UnionType)


def _content(schema: Json, example: Example) -> Json:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _responses(route: Route, schemas: _Schemas) -> Json:
    responses: Json = {status: {"$ref": f"#/components/responses/{_SHARED[status].name}"} for status in _shared_by(route)}
    if route.body is not None or route.uploads or route.query is not None or "{" in route.path:
        text = "The request is wrong, or signal-cli refused it; the text says why."
        name = "number" if "{number}" in route.path else "recipient"
        responses["400"] = _problem(text, 400, _example_of(InvalidValue(name, f"Please provide a {name}")))
    if route.failure != 400:
        failed = errors.EngineError("Failed (IOException)")
        example = _told(answer_to(failed, route.failure, route.failure_text))
        responses[str(route.failure)] = _problem("signal-cli refused, or something is wrong in the service.", route.failure, example)
    responses |= {str(answer.status): _response(answer, schemas) for answer in route.answers}
    if route.websocket:
        responses["101"] = {"description": "The connection is a WebSocket now."}
    if route.body is not None and route.undecodable_text is None:
        quirk = "As upstream does, a body that cannot be decoded is told about as text that holds the same JSON."
        text = _text_of(answer_to(UndecodableBody("Couldn't process request - invalid request")))
        responses["400"]["content"]["text/plain"] = {"schema": {"type": "string", "description": quirk}, "example": text}
    return dict(sorted(responses.items()))


_EVENT: Final[Json] = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string", "contentMediaType": _JSON}},
    "required": ["event", "data"],
}


def _response(answer: Answer, schemas: _Schemas) -> Json:
    if answer.type is Problem:
        example = answer.example or _told(problem(answer.description.rstrip("."), answer.status))
        return _problem(answer.description, answer.status, example)
    response: Json = {"description": answer.description}
    if answer.media == "text/event-stream":
        response["content"] = {answer.media: {"schema": _EVENT}}
    elif answer.media != _JSON:
        response["content"] = {answer.media: {"schema": {"type": "string", "format": "binary"}}}
    elif answer.type is not None:
        response["content"] = {_JSON: _content(schemas.of(answer.type), answer.example)}
    return response


def _problem(description: str, status: int, example: Example) -> Json:
    response: Json = {"description": description, "content": {_JSON: _content({"$ref": _REFS.format(name="Problem")}, example)}}
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return response


# --- the gateway ---------------------------------------------------------------------------------------------------------


def _gateway(route: Route, schemas: _Schemas) -> Json:
    """The same form for every error: those of a route by their example, those of all routes in a word each."""
    common = {
        "400": "The request is wrong, or signal-cli refused it.",
        "401": "No valid credential or token.",
        "403": "Not for this credential or token.",
        "421": "Not under this host name.",
        "429": "Too many attempts, or too much at once.",
        "500": "Oops! something went wrong. Please try again later.",
        "503": "signal-cli or the database is not available.",
    }
    if route.body is not None:
        common |= {"408": "The body did not come in time.", "413": "Too large."}
    if route.scope is Scope.SEND and route.body is not None:
        common |= {"422": "The Idempotency-Key was used for another request.", "507": "No space for the file."}
    if route.scope not in (None, Scope.GATEWAY):
        common |= {"501": "Not with this signal-cli.", "504": "No answer from signal-cli in time."}
    responses: Json = {status: _response(trouble(int(status), text), schemas) for status, text in common.items()}
    responses |= {str(answer.status): _response(answer, schemas) for answer in route.answers}
    if route.websocket:
        responses["101"] = {"description": "The connection is a WebSocket now."}
    return dict(sorted(responses.items()))


# --- the native face -----------------------------------------------------------------------------------------------------


_NATIVE: Final[Mapping[str, Sequence[str]]] = {
    "400": ("invalid-value", "invalid-body"), "401": ("unauthorized",), "403": ("forbidden",), "404": ("account-unknown", "not-found"),
    "408": ("slow-body",), "409": ("untrusted-identity", "conflict"), "413": ("too-large",), "421": ("wrong-host",),
    "422": ("refused", "not-on-signal"), "423": ("pin-required",), "428": ("captcha-required",), "429": ("rate-limited", "throttled"),
    "500": ("internal",), "501": ("unsupported",), "502": ("engine-fault",), "504": ("engine-timeout",), "507": ("no-space",),
    "503": ("engine-unavailable", "signal-unreachable", "account-offline", "busy"),
}  # fmt: skip
"""By status, the kinds of problems that many routes can answer."""


def _native(route: Route, schemas: _Schemas) -> Json:
    responses: Json = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _native_shared_by(route)}
    told: set[str] = set()
    for answer in route.answers:
        status = str(answer.status)
        if answer.media == native.MEDIA:
            example = answer.example or msgspec.to_builtins(native.problem(_NATIVE[status][-1]))
            response = _native_problem(answer.description, answer.status, example)
        else:
            response = _response(answer, schemas)
        if status not in told:
            told.add(status)
            responses[status] = response
            continue
        responses[status]["description"] += f" Or: {response['description']}"  # another kind of problem, or the same in another form
        responses[status]["content"] = response.get("content", {}) | responses[status].get("content", {})
    if route.websocket:
        responses["101"] = {"description": "The connection is a WebSocket now."}
    return dict(sorted(responses.items()))


def _native_shared_by(route: Route) -> Sequence[str]:
    statuses = ["401", "403", "421", "429", "500"]
    if route.body is not None or route.uploads or route.query is not None or "{" in route.path:
        statuses.append("400")
    if route.body is not None or route.uploads:
        statuses += ["408", "413", "507"]
    if route.scope not in (None, Scope.ADMIN):
        statuses += ["404", "409", "422", "423", "428", "501", "502", "503", "504"]
    elif "{" in route.path:
        statuses.append("404")
    if route.scope is Scope.ADMIN and route.path != "/metrics":  # of the database alone
        statuses += ["503"] if route.method == "GET" else ["503", "507"]
    return sorted(set(statuses))


def _native_responses() -> Json:
    responses: Json = {}
    for status, kinds in _NATIVE.items():
        listed = ", ".join(f"`{kind}`" for kind in kinds)
        example = msgspec.to_builtins(native.problem(kinds[0]))
        responses[f"Problem{status}"] = _native_problem(f"{native.KINDS[kinds[0]].title} ({listed}).", int(status), example)
    return responses


def _native_problem(description: str, status: int, example: Example) -> Json:
    content = {native.MEDIA: _content({"$ref": _REFS.format(name="ProblemDetails")}, example)}
    response: Json = {"description": description, "content": content}
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return response


# --- what many routes can answer -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shared:
    name: str
    description: str
    error: Exception
    """One that is answered so."""


_SHARED: Final[Mapping[str, _Shared]] = {
    "401": _Shared("Unauthorized", "No token, a wrong one, or one that has ended.", Unauthorized()),
    "403": _Shared("NotAllowed", "The token does not allow it; or a web page of another origin asked.", NotAllowed()),
    "408": _Shared("SlowBody", "The body did not come in time.", SlowBody()),
    "413": _Shared("TooLarge", "The body is too large.", TooLarge("body", "Couldn't process request - the body is larger than 150 MiB")),
    "421": _Shared("ForeignHost", "The Host header names another host.", Forbidden("The Host header names a host that is not served", 421)),
    "429": _Shared("Throttled", "This address has tried wrong tokens too often.", Throttled(30)),
    "500": _Shared("Broken", "Something is wrong in the service; its log says more.", RuntimeError()),
    "501": _Shared(
        "Unsupported", "This signal-cli cannot do that; the text names the version that can.",
        errors.Unsupported("The command sendStory needs signal-cli 0.14.6, this is 0.14.1"),
    ),
    "503": _Shared(
        "Unavailable", "signal-cli is not available, or there is too much to do.", errors.EngineUnavailable("it is being started")
    ),
    "504": _Shared("Silent", "signal-cli did not answer in time.", errors.EngineTimeout("signal-cli did not answer within 60 s")),
    "507": _Shared("NoSpace", "There is no space to store the attachment.", NoSpace()),
}  # fmt: skip
"""By status."""


def _shared_by(route: Route) -> Sequence[str]:
    statuses = ["401", "403", "421", "429", "500"]
    if route.body is not None or route.uploads:
        statuses += ["408", "413", "507"]
    if route.scope not in (None, Scope.ADMIN):
        statuses += ["501", "503", "504"]
    return statuses


def _shared_responses() -> Json:
    return {shared.name: _problem(shared.description, int(status), _example_of(shared.error)) for status, shared in _SHARED.items()}


def _example_of(error: Exception) -> Example:
    """The body that `http.problems` makes of it."""
    return _told(answer_to(error, quiet=True))


def _told(answer: web.Response) -> Example:
    told: Example = msgspec.json.decode(_text_of(answer))
    return told


def _text_of(answer: web.Response) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


_FACES: Final[Mapping[Face, Callable[[Route, _Schemas], Json]]] = {
    Face.COMPAT: _responses,
    Face.NATIVE: _native,
    Face.GATEWAY: _gateway,
}
"""How the answers of a family of routes are described."""
