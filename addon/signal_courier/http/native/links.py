"""`/api/v2/links`: join as a second device of a phone, by a picture that the phone scans."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import content, empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import ACCOUNT, MISSING, trouble
from signal_courier.http.native.problems import ProblemDetails, ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.leaving import end_with_client
from signal_courier.messaging.joining import qr
from signal_courier.messaging.joining.link_sessions import LinkSession
from signal_courier.messaging.joining.linking import LinkState

routes = RouteTable("Links", face=Face.NATIVE)

_LONGEST_WAIT = 60.0


class NewLink(msgspec.Struct):
    """How this device shall be called."""

    device_name: Annotated[str, msgspec.Meta(description="What the phone shows in its list of linked devices.", min_length=1)] = (
        "Signal Courier"
    )


class LinkEntry(msgspec.Struct):
    """A link on its way."""

    id: str
    state: LinkState
    uri: Annotated[str | None, msgspec.Meta(description="What the picture holds now; null once it is over. A secret until it is scanned.")]
    qr: Annotated[str | None, msgspec.Meta(description="Address of the picture as SVG; with `.png` for `.svg` as PNG.")]
    version: Annotated[int, msgspec.Meta(description="Grows when the code or the state changes; for `after`.")]
    device_name: str
    account: Annotated[str | None, msgspec.Meta(description="The number, once it is linked.")]
    problem: Annotated[ProblemDetails | None, msgspec.Meta(description="Why it came to nothing.")]
    started: Annotated[int, msgspec.Meta(description="When it was begun: ms since 1970.")]
    expires: Annotated[int, msgspec.Meta(description="When it is given up: ms since 1970.")]


class Links(msgspec.Struct):
    """The links of late."""

    links: list[LinkEntry]


_ID = "6yFhXvM3nTqk0m1bq8aZcg"
_EXAMPLE = {
    "id": _ID, "state": "waiting", "uri": "sgnl://linkdevice?uuid=…&pub_key=…", "qr": f"/api/v2/links/{_ID}/qr.svg", "version": 1,
    "device_name": "Signal Courier", "account": None, "problem": None, "started": 1763700000000, "expires": 1763700600000,
}  # fmt: skip


def _entry(session: LinkSession) -> LinkEntry:
    found = None
    if session.state is LinkState.EXPIRED:
        found = problem("link-expired", session.reason or "")
    elif session.state is LinkState.FAILED:
        found = problem("refused", session.reason or "")
    return LinkEntry(
        id=session.id,
        state=session.state,
        uri=session.uri,
        qr=f"/api/v2/links/{session.id}/qr.svg" if session.uri else None,
        version=session.version,
        device_name=session.device_name,
        account=session.account,
        problem=found,
        started=int(session.started * 1000),
        expires=int(session.expires * 1000),
    )


@routes.add(
    "POST", "/api/v2/links", scope=Scope.ACCOUNTS, body=NewLink, body_optional=True, body_example={"device_name": "Home"},
    answers=[
        Answer(201, "Show the code to a phone: Signal, Settings, Linked devices.", LinkEntry, example=_EXAMPLE),
        trouble("throttled", "Too many links wait for a phone, end one or try again later", retry_after=60),
    ],
)  # fmt: skip
async def start_link(call: Call[NewLink, None]) -> web.StreamResponse:
    """Begin to link this service to a phone.

    The code renews itself about every minute until it is scanned, for ten minutes: follow it with `GET /api/v2/links/{link}?wait=…`.
    """
    return json_answer(_entry(await call.services.link_sessions.start(call.body.device_name)), 201)


@routes.add(
    "GET", "/api/v2/links", scope=Scope.ACCOUNTS, answers=[Answer(200, "Oldest first.", Links, example={"links": [_EXAMPLE]})],
)  # fmt: skip
async def list_links(call: Call[None, None]) -> web.StreamResponse:
    """List the links of late.

    Those that wait to be scanned, and those that have ended lately.
    """
    return json_answer(Links([_entry(session) for session in call.services.link_sessions.all()]))


class LinkQuery(msgspec.Struct):
    """Whether to wait."""

    wait: Annotated[int, msgspec.Meta(description="Seconds to wait for a change, at most 60.", ge=0)] = 0
    after: Annotated[int, msgspec.Meta(description="Wait until `version` is beyond this; without it, for the next change.")] = -1


@routes.add(
    "GET", "/api/v2/links/{link}", scope=Scope.ACCOUNTS, query=LinkQuery,
    answers=[
        Answer(
            200, "How it is (now, or after the wait).", LinkEntry,
            example=_EXAMPLE | {"state": "linked", "uri": None, "qr": None, "version": 3, "account": ACCOUNT},
        ),
        MISSING,
    ],
)  # fmt: skip
async def get_link(call: Call[None, LinkQuery]) -> web.StreamResponse:
    """Show a link, or wait until its code or its state has changed.

    With `wait` the answer comes as soon as `version` is beyond `after`: a new code, or the end. `state` is `waiting`, `linked`, `expired`
    or `failed`.
    """
    sessions = call.services.link_sessions
    session = sessions.get(call.path["link"])
    if call.query.wait > 0:
        end_with_client(call.request)
        after = call.query.after if call.query.after >= 0 else session.version
        await sessions.wait_beyond(session, after, timeout=min(float(call.query.wait), _LONGEST_WAIT))
    return json_answer(_entry(session))


@routes.add("DELETE", "/api/v2/links/{link}", scope=Scope.ACCOUNTS, answers=[Answer(204, "Ended and forgotten."), MISSING])
async def end_link(call: Call[None, None]) -> web.StreamResponse:
    """End a link that nobody has scanned; what was linked stays linked.

    A code that was scanned in the same moment is finished all the same.
    """
    await call.services.link_sessions.end(call.services.link_sessions.get(call.path["link"]))
    return empty()


_OVER = trouble("link-expired", "The link is over.")


@routes.add(
    "GET", "/api/v2/links/{link}/qr.svg", scope=Scope.ACCOUNTS,
    answers=[Answer(200, "The picture.", str, media="image/svg+xml"), MISSING, _OVER],
)  # fmt: skip
async def get_link_svg(call: Call[None, None]) -> web.StreamResponse:
    """Get the code as a picture: SVG.

    The code as it is now: ask again when `version` has changed.
    """
    return _picture(await asyncio.to_thread(qr.draw_svg, _uri(call)), "image/svg+xml")


@routes.add(
    "GET", "/api/v2/links/{link}/qr.png", scope=Scope.ACCOUNTS,
    answers=[Answer(200, "The picture.", bytes, media="image/png"), MISSING, _OVER],
)  # fmt: skip
async def get_link_png(call: Call[None, None]) -> web.StreamResponse:
    """Get the code as a picture: PNG, 8 pixels a module.

    The code as it is now: ask again when `version` has changed.
    """
    return _picture(await asyncio.to_thread(qr.draw_png, _uri(call)), "image/png")


def _uri(call: Call[None, None]) -> str:
    uri = call.services.link_sessions.get(call.path["link"]).uri
    if uri is None:
        raise ProblemFound(problem("link-expired", "The link is over."))
    return uri


def _picture(body: bytes, media: str) -> web.Response:
    answer = content(body, media)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return answer
