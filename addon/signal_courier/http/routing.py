"""One declaration a route: router, validation, access and OpenAPI all come from it.

    routes = RouteTable("Groups")

    @routes.add("POST", "/v1/groups/{number}", scope=Scope.GROUPS, body=CreateGroup, answers=[Answer(201, "The group.", GroupCreated)])
    async def create_group(call: Call[CreateGroup]) -> web.StreamResponse:
        \"\"\"Create a group.\"\"\"

The first line of the handler's docstring is the summary in the documentation, the rest its description.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.decoding.query import QueryReader
from signal_courier.http.faces import Face
from signal_courier.model.dialects import Dialect

type Example = Mapping[str, object] | Sequence[object] | str | int | bool | None


ACCOUNT_PARAMETERS = ("number", "account")
"""Path parameters that hold the number of an account."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that a route can give, as the documentation tells it."""

    status: int
    description: str
    type: object = None
    """A msgspec struct or a type made of them; `None` = empty body."""
    media: str = "application/json"
    example: Example = None


class Handler[B, Q](Protocol):
    """What serves a route."""

    def __call__(self, call: Call[B, Q], /) -> Awaitable[web.StreamResponse]:
        """Answer the call; exceptions become answers through `http.problems`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The whole truth about one route."""

    method: str
    path: str
    """With `{name}` for one segment and `{name:path}` for one or more (ids that may hold a slash)."""
    handler: Handler[object, object] = field(repr=False)
    tag: str
    scope: Scope | None
    accounts: Reach
    """How a token's list of accounts is kept. An account in the path (`{number}`, `{account}`) is checked before anything else."""
    recipients: Reach
    """How a token's list of recipients is kept."""
    body: type[msgspec.Struct] | None = None
    body_optional: bool = False
    """An empty body counts as `{}`."""
    bodiless_upstream: bool = False
    """Upstream reads no body here, so clients may send anything: what is no JSON object counts as none, too."""
    body_example: Example = None
    undecodable_text: str | None = None
    """What is told about a body that cannot be decoded, where it is not the usual text."""
    form: bool = False
    """The body may be a multipart form with the same fields, too."""
    uploads: bool = False
    """The body may be multipart or raw bytes; the handler reads it itself."""
    query: type[msgspec.Struct] | None = None
    query_upgraded: bool = True
    """Whether a WebSocket takes the query, too; where it does not, nothing in it can be wrong."""
    reader: QueryReader | None = None
    answers: tuple[Answer, ...] = ()
    failure: int = 400
    """The status when signal-cli refuses."""
    failure_text: str = "{}"
    """The words around signal-cli's own."""
    documented: bool = True
    quiet: bool = False
    """Not in the access log (health checks)."""
    websocket: bool = False
    head: bool = True
    """Whether HEAD may ask about what GET answers, where the route's face has HEAD."""
    face: Face = Face.COMPAT
    """How errors are worded."""
    sends: bool = field(init=False)
    """Whether it hands messages to the outbox: `Idempotency-Key` and `Prefer` count."""

    def __post_init__(self) -> None:
        """Tell once what every request asks."""
        object.__setattr__(self, "sends", self.scope is Scope.SEND and self.body is not None and self.tag != "Calls")

    @property
    def account_parameter(self) -> str | None:
        """The name of the path parameter that holds an account."""
        return next((name for name in ACCOUNT_PARAMETERS if f"{{{name}}}" in self.path), None)

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """What else there is to say."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    @property
    def name(self) -> str:
        """The handler's name: unique, used as `operationId`."""
        return getattr(self.handler, "__name__", "route")


class RouteTable:
    """The routes of one topic, in the order in which they are declared."""

    def __init__(self, tag: str, *, face: Face = Face.COMPAT) -> None:
        self.tag = tag
        self.face = face
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def add[B, Q](
        self,
        method: str,
        path: str,
        *,
        scope: Scope | None,
        accounts: Reach | None = None,
        recipients: Reach | None = None,
        body: type[B] | None = None,
        body_optional: bool = False,
        bodiless_upstream: bool = False,
        body_example: Example = None,
        undecodable_text: str | None = None,
        form: bool = False,
        uploads: bool = False,
        query: type[Q] | None = None,
        query_upgraded: bool = True,
        answers: Iterable[Answer] = (),
        failure: int = 400,
        failure_text: str = "{}",
        documented: bool = True,
        quiet: bool = False,
        websocket: bool = False,
        head: bool = True,
    ) -> Callable[[Handler[B, Q]], Handler[B, Q]]:
        """Declare a route.

        Unless it says otherwise, a route without an account in its path is for callers who may use all accounts, and one that changes
        something is for callers who may reach everybody.
        """
        if accounts is None:
            accounts = Reach.FREE if scope is None else Reach.UNLIMITED
        if recipients is None:
            recipients = Reach.FREE if scope is None or method == "GET" else Reach.UNLIMITED

        def declare(handler: Handler[B, Q]) -> Handler[B, Q]:
            self._routes.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,  # type: ignore[arg-type]  # a route is called only with what it declares
                    tag=self.tag,
                    scope=scope,
                    accounts=accounts,
                    recipients=recipients,
                    body=body,  # type: ignore[arg-type]  # B is a struct
                    body_optional=body_optional,
                    bodiless_upstream=bodiless_upstream,
                    body_example=body_example,
                    undecodable_text=undecodable_text,
                    form=form,
                    uploads=uploads,
                    query=query,  # type: ignore[arg-type]  # Q is a struct
                    query_upgraded=query_upgraded,
                    reader=QueryReader(query) if query is not None else None,  # type: ignore[arg-type]  # Q is a struct
                    answers=tuple(answers),
                    failure=failure,
                    failure_text=failure_text,
                    documented=documented,
                    quiet=quiet,
                    websocket=websocket,
                    head=head,
                    face=self.face,
                )
            )
            return handler

        return declare


@dataclass(slots=True)
class _Node:
    fixed: "dict[str, _Node]" = field(default_factory=dict)
    one: "_Node | None" = None
    many: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Match(msgspec.Struct, frozen=True):
    """A request's route."""

    route: Route
    path: Mapping[str, str]
    """Path parameters, percent-decoded once."""
    dialect: Dialect | None = None
    """Asked for by the prefix `/d/<dialect>`."""


class Router:
    """Finds the route of a request by its raw path, so that an encoded slash stays inside its segment."""

    def __init__(self, tables: Iterable[Iterable[Route]]) -> None:
        self.routes: list[Route] = [route for table in tables for route in table]
        self._root = _Node()
        self._static: dict[tuple[str, str], Match] = {}
        for route in self.routes:
            self._insert(route)

    def _insert(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.path.strip("/").split("/"):
            if not segment.startswith("{"):
                node = node.fixed.setdefault(segment, _Node())
                continue
            name, _, kind = segment[1:-1].partition(":")
            names.append(name)
            if kind == "path":
                node.many = node.many or _Node()
                node = node.many
            else:
                node.one = node.one or _Node()
                node = node.one
        if route.method in node.routes:
            raise ValueError(f"{route.method} {route.path} is declared twice")
        node.routes[route.method] = (route, tuple(names))
        if not names:
            self._static[route.method, route.path] = Match(route, {})

    def match(self, method: str, raw_path: str) -> Match | None:
        """The route for a method and the raw request target, `None` when there is none."""
        path, _, _ = raw_path.partition("?")
        if found := self._static.get((method, path)):
            return found
        segments = path.strip("/").split("/")
        dialect = None
        if len(segments) > 2 and segments[0] == "d":
            try:
                dialect = Dialect(segments[1])
            except ValueError:
                return None
            del segments[:2]
        if not segments or len(segments) > 64:
            return None
        values: list[str] = []
        found_route = _find(self._root, segments, 0, method, values)
        if found_route is None:
            return None
        route, names = found_route
        return Match(route, dict(zip(names, values, strict=True)), dialect)

    def match_head(self, raw_path: str) -> Match | None:
        """The route whose answer to GET a HEAD asks about: of the native API, and none that streams; upstream knows no HEAD."""
        found = self.match("GET", raw_path)
        if found is None or found.route.face is not Face.NATIVE or found.route.websocket or not found.route.head:
            return None
        return found

    def allowed(self, raw_path: str) -> Sequence[str]:
        """The methods that a path has routes for."""
        found = [method for method in _METHODS if self.match(method, raw_path) is not None]
        return found if self.match_head(raw_path) is None else [found[0], "HEAD", *found[1:]]


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _find(node: _Node, segments: list[str], at: int, method: str, values: list[str]) -> tuple[Route, tuple[str, ...]] | None:
    if at == len(segments):
        return node.routes.get(method)
    segment = segments[at]
    fixed = node.fixed.get(segment)
    if fixed is not None and (found := _find(fixed, segments, at + 1, method, values)) is not None:
        return found
    if node.one is not None and segment:
        values.append(_decode(segment))
        if (found := _find(node.one, segments, at + 1, method, values)) is not None:
            return found
        values.pop()
    if node.many is not None:
        for end in range(at + 1, len(segments) + 1):
            values.append(_decode("/".join(segments[at:end])))
            if (found := _find(node.many, segments, end, method, values)) is not None:
                return found
            values.pop()
    return None


def _decode(segment: str) -> str:
    if "%" not in segment:
        return segment
    return unquote_to_bytes(segment).decode(errors="replace")
