"""How every route of a face is called once: a book of calls, and the world that they act on."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signal_courier.http.routing import Route
from tests.e2e.courier import House, Reply
from tests.e2e.lab.laboratory import Lab

_PARAMETER_ERROR = re.compile(
    r"NullPointer|ClassCast|IllegalArgument|IllegalState|IndexOutOfBounds|NumberFormat|UnexpectedError|Unrecognized|not implemented",
    re.IGNORECASE,
)
"""What signal-cli's answers hold when it was asked in a wrong way."""

NEWER = (501,)
"""Signal-cli 0.13.19 is too old for it, and the service says so."""


@dataclass(slots=True)
class World:
    """What the calls act on."""

    house: House
    lab: Lab
    folder: Path
    group: str = ""
    incoming: int = 0
    """Timestamp of a message from Ann."""
    outgoing: int = 0
    """Timestamp of a message to Ann."""

    @property
    def ann(self) -> str:
        """Her ACI."""
        return self.lab.ann.aci

    async def created_group(self, name: str) -> str:
        """A new group of the house with Ann and Ben, Ann an admin too."""
        group = {"name": name, "members": [self.ann, self.lab.ben.aci], "group_link": "enabled"}
        created = str((await self.house.call("POST", "/v1/groups/{n}", group)).expect(201)["id"])
        (await self.house.call("POST", f"/v1/groups/{{n}}/{created}/admins", {"admins": [self.ann]})).expect(204)
        return created

    async def registering(self, number: str, *, verified: bool = False) -> str:
        """A number that has asked for its code, or has given it too."""
        (await self.house.call("POST", f"/v1/register/{number}")).expect(201)
        if verified:
            (await self.house.call("POST", f"/v1/register/{number}/verify/123456")).expect(201)
        return number

    async def group_link_of_ann(self) -> str:
        """The link to a new group of Ann, which the house does not know."""
        group = await self.lab.ann.call("updateGroup", name="Open", member=[self.lab.ben.aci], link="enabled")
        (link,) = [known["groupInviteLink"] for known in await self.lab.ann.call("listGroups") if known["id"] == group["groupId"]]
        return str(link)


async def made_world(house: House, lab: Lab, folder: Path) -> World:
    """A group, a message to the house, and one from it."""
    world = World(house, lab, folder)
    world.group = await world.created_group("Everything")
    world.incoming = await lab.ann.send(house.aci, "act on this")
    await house.receives_text("act on this")
    world.outgoing = await house.send(lab.ann.aci, message="to be deleted")
    return world


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask, and which statuses are right (empty: those of success that the route declares)."""

    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = ()


type Builder = Callable[[World], Awaitable[Call]]


class CallBook:
    """One call for each route of some tables: the routes come from the service's own tables, so that none can be forgotten."""

    def __init__(self, tables: Iterable[Iterable[Route]]) -> None:
        self.routes: Mapping[str, Route] = {f"{route.method} {route.path}": route for table in tables for route in table}
        self._calls: dict[str, Builder] = {}

    def call(self, route: str) -> Callable[[Builder], Builder]:
        """Declares how a route is called."""

        def declare(builder: Builder) -> Builder:
            self._calls[route] = builder
            return builder

        return declare

    def plain(
        self,
        route: str,
        path: str | None = None,
        body: object = None,
        statuses: tuple[int, ...] = (),
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Declares a call; `$number`, `$ann`, `$ben`, `$group`, `$in` and `$out` are filled in, in path and body."""

        @self.call(route)
        async def build(world: World) -> Call:
            chosen = (path or route.partition(" ")[2]).replace("{number}", world.house.number)
            return Call(str(_filled(chosen, world)), _filled(body, world), query or {}, statuses)

    def left_over(self) -> set[str]:
        """Calls of routes that are no more."""
        return set(self._calls) - set(self.routes)

    async def check(self, name: str, world: World) -> Reply:
        """Calls a route, and looks whether signal-cli has understood."""
        assert name in self._calls, "a new route needs a call here"
        route, asked = self.routes[name], await self._calls[name](world)
        for _ in range(3):
            reply = await world.house.call(route.method, asked.path, asked.body, query=asked.query)
            if b"Closed unexpectedly" not in reply.body:  # signal-cli met a connection that the server had just let go
                break
        right = asked.statuses or {answer.status for answer in route.answers if answer.status < 300}
        said = f"{reply.call} -> {reply.status} {reply.body[:500]!r}"
        assert reply.status in right, said
        if "json" in reply.content_type and reply.status != 501:
            assert not _PARAMETER_ERROR.search(reply.body.decode(errors="replace")), said
        return reply


def _filled(value: object, world: World) -> object:
    names: dict[str, object] = {
        "$ann": world.ann,
        "$ben": world.lab.ben.aci,
        "$group": world.group,
        "$number": world.house.number,
        "$in": world.incoming,
        "$out": world.outgoing,
    }
    match value:
        case str():
            if value in names:
                return names[value]
            for name, known in names.items():
                value = value.replace(name, str(known))
            return value
        case list():
            return [_filled(item, world) for item in value]
        case dict():
            return {key: _filled(item, world) for key, item in value.items()}
        case _:
            return value
