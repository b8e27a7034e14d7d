"""`/api/v2/consumers`: who follows the events under a name, and how far."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.problems import MEDIA
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.receiving.consumers import Consumer
from signal_courier.model.errors import MissingThing
from signal_courier.model.integers import Int64

routes = RouteTable("Events", face=Face.NATIVE)


class ConsumerInfo(msgspec.Struct):
    """A consumer of events."""

    name: str
    position: Annotated[int, msgspec.Meta(description="Everything up to this id was acknowledged.")]
    lag: Annotated[int, msgspec.Meta(description="How many events (of all accounts and types) are behind it.")]
    missed: Annotated[int, msgspec.Meta(description="Those of them that were removed already, by age or number.")]
    connections: Annotated[int, msgspec.Meta(description="How many follow under this name now.")]
    created_at: Annotated[int, msgspec.Meta(description="ms since the epoch.")]
    seen_at: Annotated[int, msgspec.Meta(description="When it last acknowledged; ms since the epoch.")]
    token: Annotated[str | None, msgspec.Meta(description="Id of the token that it belongs to.")] = None


class ConsumerList(msgspec.Struct):
    """Consumers, by name."""

    consumers: list[ConsumerInfo]


class Acknowledge(msgspec.Struct):
    """How far the consumer is done."""

    id: Annotated[Int64, msgspec.Meta(description="The last event that is done with; those before it are, too.")]


class Acknowledged(msgspec.Struct):
    """Where the consumer is now."""

    position: int


class NewConsumer(msgspec.Struct):
    """Where a new consumer begins."""

    after: Annotated[Int64 | None, msgspec.Meta(description="Behind this id; 0 = with the oldest event; left out: with what comes.")] = None


_EXAMPLE = {
    "name": "home-assistant", "position": 4711, "lag": 2, "missed": 0, "connections": 1, "created_at": 1795220000000,
    "seen_at": 1795221024400, "token": None,
}  # fmt: skip
_MISSING = Answer(404, "No such consumer.", media=MEDIA)


@routes.add(
    "GET", "/api/v2/consumers", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "Consumers, by name.", ConsumerList, example={"consumers": [_EXAMPLE]})],
)  # fmt: skip
async def list_consumers(call: Call[None, None]) -> web.StreamResponse:
    """List the consumers of events.

    A token sees its own; the scope `admin` sees all.
    """
    owner = None if call.caller.may(Scope.ADMIN) else _owner(call)
    return json_answer(ConsumerList([_told(consumer) for consumer in await call.services.receiving.consumers.all(owner)]))


@routes.add(
    "GET", "/api/v2/consumers/{consumer}", scope=Scope.RECEIVE, accounts=Reach.FREE,
    answers=[Answer(200, "The consumer.", ConsumerInfo, example=_EXAMPLE), _MISSING],
)  # fmt: skip
async def get_consumer(call: Call[None, None]) -> web.StreamResponse:
    """Get a consumer of events.

    Its position, how far behind it is, and how many events it has missed.
    """
    owner, name = await _find(call)
    return json_answer(_told(await call.services.receiving.consumers.get(owner, name)))


@routes.add(
    "PUT", "/api/v2/consumers/{consumer}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE, body=NewConsumer,
    body_optional=True, body_example={"after": 0},
    answers=[Answer(200, "The consumer, made now or there already.", ConsumerInfo, example=_EXAMPLE)],
)  # fmt: skip
async def put_consumer(call: Call[NewConsumer, None]) -> web.StreamResponse:
    """Make a consumer of events.

    Before it connects, so that everything from now on waits for it. One that is there already stays as it is.
    """
    receiving, name, after = call.services.receiving, call.path["consumer"], call.body.after
    if after == 0:
        after = await receiving.events.oldest()
    await receiving.consumers.open(_owner(call), name, after=after)
    return json_answer(_told(await receiving.consumers.get(_owner(call), name)))


@routes.add(
    "DELETE", "/api/v2/consumers/{consumer}", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE,
    answers=[Answer(204, "Forgotten."), _MISSING],
)  # fmt: skip
async def delete_consumer(call: Call[None, None]) -> web.StreamResponse:
    """Forget a consumer of events.

    Its position is forgotten; under the same name a new one begins with what comes from then on.
    """
    owner, name = await _find(call)
    await call.services.receiving.consumers.delete(owner, name)
    return empty()


@routes.add(
    "POST", "/api/v2/consumers/{consumer}/ack", scope=Scope.RECEIVE, accounts=Reach.FREE, recipients=Reach.FREE, body=Acknowledge,
    body_example={"id": 4711},
    answers=[Answer(200, "Stored; the position never goes back.", Acknowledged, example={"position": 4711}), _MISSING],
)  # fmt: skip
async def acknowledge_events(call: Call[Acknowledge, None]) -> web.StreamResponse:
    """Acknowledge events: what comes up to this id is not told to the consumer again.

    Positions only grow: an older id than the last changes nothing.
    """
    position = await call.services.receiving.consumers.acknowledge(_owner(call), call.path["consumer"], call.body.id)
    return json_answer(Acknowledged(position))


def _owner[B, Q](call: Call[B, Q]) -> str:
    return call.caller.token_id or ""


async def _find(call: Call[None, None]) -> tuple[str, str]:
    """Owner and name of a consumer: the caller's own, else, for the scope `admin`, anybody's."""
    name, consumers = call.path["consumer"], call.services.receiving.consumers
    found = [consumer for consumer in await consumers.all(None) if consumer.name == name]
    for consumer in found:
        if consumer.owner == _owner(call):
            return consumer.owner, name
    if found and call.caller.may(Scope.ADMIN):
        return found[0].owner, name
    raise MissingThing("consumer", "There is no consumer of this name")


def _told(consumer: Consumer) -> ConsumerInfo:
    return ConsumerInfo(
        name=consumer.name,
        position=consumer.position,
        lag=consumer.lag,
        missed=consumer.missed,
        connections=consumer.connections,
        created_at=consumer.created_at,
        seen_at=consumer.seen_at,
        token=consumer.owner or None,
    )
