"""A request to the chat server and its answer, and the table of routes. The same requests come over the websocket and over REST."""

import logging
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from tests.e2e.lab.server.network import Caller

_LOGGER = logging.getLogger(__name__)

type Verb = Literal["GET", "PUT", "POST", "PATCH", "DELETE"]


class CamelStruct(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=False):
    """A JSON object of Signal's: keys in camelCase, unknown ones ignored."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    caller: Caller | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The parts of the path that the route names, percent-decoded."""

    @property
    def sender(self) -> Caller:
        """The caller, who must be known.

        Raises:
            Refused: 401.
        """
        if self.caller is None:
            raise Refused(Answer(401))
        return self.caller

    def decode[T](self, kind: type[T]) -> T:
        """The body as `kind`.

        Raises:
            Refused: 422, as Signal answers for a body it does not understand.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise Refused(Answer(422, {"error": str(error)})) from error


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a value to be written as JSON (None: no body)."""

    status: int = 200
    value: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The JSON text."""
        return b"" if self.value is None else msgspec.json.encode(self.value)


class Refused(Exception):
    """Ends a handler early with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


type Handler = Callable[[Request], Awaitable[Answer]]


class Routes:
    """Which handler answers which verb and path. `{name}` in a pattern stands for one part of the path."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, verb: Verb, pattern: str, handler: Handler) -> None:
        """Adds a route; the first that matches wins."""
        expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        self._routes.append((verb, re.compile(f"{expression}/?"), handler))

    async def answer(self, request: Request) -> Answer:
        """What the handler says; 404 when there is none."""
        for verb, pattern, handler in self._routes:
            if verb == request.verb and (match := pattern.fullmatch(request.path)):
                parameters = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
                try:
                    return await handler(
                        Request(request.verb, request.path, request.query, request.headers, request.body, request.caller, parameters)
                    )
                except Refused as refused:
                    return refused.answer
        _LOGGER.warning("no route for %s %s", request.verb, request.path)
        return Answer(404)


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query (first value of each name) of a request target."""
    parts = urllib.parse.urlsplit(target)
    return parts.path, {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
