"""`/api/v2/problems`: what can go wrong, for programs and for people."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.problems import KINDS
from signal_courier.http.routing import Answer, RouteTable

routes = RouteTable("Status", face=Face.NATIVE)


class ProblemKind(msgspec.Struct):
    """One kind of problem."""

    type: str
    title: str
    status: int
    advice: Annotated[str, msgspec.Meta(description="What can be done about it.")]
    by_person: Annotated[bool, msgspec.Meta(description="Whether only a person can solve it.")]


class ProblemKinds(msgspec.Struct):
    """All kinds of problems."""

    problems: list[ProblemKind]


_ALL = ProblemKinds([ProblemKind(kind.type, kind.title, kind.status, kind.advice, kind.by_person) for kind in KINDS.values()])


@routes.add(
    "GET", "/api/v2/problems", scope=None,
    answers=[
        Answer(
            200, "Every kind, with the `type` that never changes.", ProblemKinds,
            example={
                "problems": [
                    {
                        "type": KINDS["pin-required"].type, "title": KINDS["pin-required"].title, "status": 423,
                        "advice": KINDS["pin-required"].advice, "by_person": True,
                    }
                ]
            },
        )
    ],
)  # fmt: skip
async def list_problems(call: Call[None, None]) -> web.StreamResponse:
    """List what can go wrong.

    Errors of `/api/v2` are `application/problem+json` (RFC 9457). Decide by `type`; `detail` is for people and may change.
    """
    return json_answer(_ALL)
