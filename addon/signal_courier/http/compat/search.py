"""`/v1/search`: who is on Signal."""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import ACCOUNT, PERSON, refusal
from signal_courier.http.compat.targets import person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue
from signal_courier.model.recipients import Username, from_query

routes = RouteTable("Search")

_NOTHING = "Please provide numbers to query for"
_DIALLED = re.compile(r"[0-9][0-9 ()./-]{2,30}")
"""A number as it is dialled at home: signal-cli completes it with the country of the account that asks."""


class Registered(msgspec.Struct):
    """Whether somebody is on Signal."""

    number: str
    registered: bool


class SearchQuery(msgspec.Struct):
    """Whom to look for."""

    numbers: Annotated[
        list[str], msgspec.Meta(description="Numbers or usernames; repeated, or with commas between.", examples=[[PERSON]])
    ] = []


class SearchAsQuery(SearchQuery):
    """Whom to look for, and as whom."""

    number: Annotated[str, msgspec.Meta(description="The account that asks; any if left out.", examples=[ACCOUNT])] = ""


_ANSWERS = (
    Answer(200, "Everybody who was asked for.", list[Registered], example=[{"number": PERSON, "registered": True}]),
    refusal("Nobody was asked for.", _NOTHING),
)


@routes.add("GET", "/v1/search/{number}", scope=Scope.CONTACTS, query=SearchQuery, answers=_ANSWERS)
async def search_for_numbers(call: Call[None, SearchQuery]) -> web.StreamResponse:
    """Tell which numbers are registered with Signal.

    Who cannot be anybody is listed as not registered; only when nobody else was asked for is that an error.
    """
    return await _search(call, call.account, call.query.numbers)


@routes.add("GET", "/v1/search", scope=Scope.CONTACTS, accounts=Reach.CHECKED, query=SearchAsQuery, answers=_ANSWERS)
async def search_as_any(call: Call[None, SearchAsQuery]) -> web.StreamResponse:
    """Tell which numbers are registered with Signal, whichever account asks.

    For clients that name no account in the path.
    """
    account = await call.services.accounts.meant(from_query(call.query.number), any_will_do=True)
    return await _search(call, call.check_account(account), call.query.numbers)


async def _search[Q](call: Call[None, Q], account: str, texts: Sequence[str]) -> web.StreamResponse:
    people: list[str] = []
    usernames: list[str] = []
    nobody: list[str] = []
    refusal = InvalidValue("numbers", _NOTHING)
    for text in (part for listed in texts for part in listed.split(",") if part.strip()):
        try:
            match person(from_query(text), "numbers"):
                case Username(name):
                    usernames.append(name)
                case number_or_uuid:
                    people.append(str(number_or_uuid))
        except InvalidValue as error:
            refusal = error
            (people if _DIALLED.fullmatch(text) else nobody).append(text)
    if not people and not usernames:
        raise refusal
    statuses = await call.services.commands.get_user_status(account, recipient=people, username=usernames)
    found = [Registered(status.number or status.recipient or status.username or "", status.is_registered) for status in statuses]
    return json_answer(found + [Registered(text, registered=False) for text in nobody])
