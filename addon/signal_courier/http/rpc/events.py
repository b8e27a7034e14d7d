"""`/api/v1/events`: envelopes as server-sent events, in signal-cli's own form, with ids and without its gaps."""

import logging
import time

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.problems import Problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.streaming.leaving import end_with_client
from signal_courier.http.streaming.sse import KEEP_ALIVE, EventStream
from signal_courier.http.streaming.websocket import Stalled
from signal_courier.messaging.receiving.consumers import Consumers
from signal_courier.messaging.receiving.events import Stretch
from signal_courier.model.errors import InvalidValue, MissingThing
from signal_courier.model.events import EventFilter
from signal_courier.model.recipients import from_query, parse_number
from signal_courier.store.errors import StoreError

_LOGGER = logging.getLogger(__name__)

routes = RouteTable("signal-cli")


class EnvelopesQuery(msgspec.Struct):
    """Whose envelopes."""

    account: str = ""
    """Only those of this account."""


@routes.add(
    "GET", "/api/v1/events", scope=Scope.RECEIVE, accounts=Reach.CHECKED, query=EnvelopesQuery,
    answers=[
        Answer(200, 'Events of the name `receive`; the data is `{"envelope": …, "account": …}`.', media="text/event-stream"),
        Answer(400, "There is no such account.", Problem),
    ],
)  # fmt: skip
async def stream_envelopes(call: Call[None, EnvelopesQuery]) -> web.StreamResponse:
    """Receive envelopes as signal-cli's HTTP daemon tells them.

    Each has an id; who comes back with `Last-Event-ID` gets everything behind it. Who comes without one gets what no client of this route
    (with the same account, or none) got yet; the first ever begins with what comes from now on.
    """
    receiving = call.services.receiving
    account = parse_number(from_query(call.query.account)).e164 if call.query.account else None
    if account is not None:
        call.check_account(account)
        if account not in call.services.engine.status.accounts:
            raise InvalidValue("account", "Specified account does not exist")
    owner, name = call.caller.token_id or "", f"signal-cli:{account or 'all'}"
    position = await receiving.consumers.open(owner, name, reserved=True)
    last = call.request.headers.get("Last-Event-ID", "").strip()
    if last.isascii() and last.isdigit() and len(last) < 19:
        position = int(last) if int(last) <= receiving.events.head else await receiving.events.oldest()
    wanted = EventFilter(accounts=frozenset({account}) if account is not None else call.caller.accounts)
    end_with_client(call.request)
    stream = await EventStream.open(call.request, receiving.events.wait_closed)
    with receiving.consumers.connected(owner, name):
        try:
            while not receiving.events.closed:
                stretch = await receiving.events.next(position, wanted, deadline=time.monotonic() + KEEP_ALIVE, envelopes=True)
                if stretch is None:
                    await stream.keep_alive()
                    continue
                position = stretch.last
                if chunk := _chunk(stretch):
                    await stream.write(chunk)
                    await _delivered(receiving.consumers, owner, name, position)
        except (Stalled, StoreError) as error:
            _LOGGER.warning("A client of /api/v1/events is dropped: %s", error)
            stream.abort()
    return stream.response


def _chunk(stretch: Stretch) -> bytes:
    """In signal-cli's spelling: no space behind the colons."""
    return b"".join(b"id:%d\nevent:receive\ndata:%s\n\n" % (entry.id, entry.frame) for entry in stretch.entries if entry.frame is not None)


async def _delivered(consumers: Consumers, owner: str, name: str, position: int) -> None:
    try:
        await consumers.acknowledge(owner, name, position)
    except MissingThing:  # somebody has deleted it: begin anew
        await consumers.open(owner, name, after=position, reserved=True)
