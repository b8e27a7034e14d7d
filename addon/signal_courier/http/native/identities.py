"""`/api/v2/identities`: safety numbers, and whom to trust."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from signal_courier.access.reach import Reach
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.faces import Face
from signal_courier.http.native.common import (
    ACCOUNT,
    INVALID,
    PERSON,
    PERSON_UUID,
    REFUSED,
    AccountQuery,
    account_of,
    person_of,
)
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Identities", face=Face.NATIVE)

type TrustLevel = Literal["untrusted", "trusted", "verified"]


class IdentityItem(msgspec.Struct):
    """A key of a person."""

    uuid: str | None
    number: str | None
    trust: TrustLevel
    safety_number: Annotated[str | None, msgspec.Meta(description="60 digits to compare, in groups of five.")]
    scannable: Annotated[str | None, msgspec.Meta(description="Base64 of what the QR code to compare holds.")]
    fingerprint: str | None
    added: Annotated[int, msgspec.Meta(description="ms since 1970.")]


class Identities(msgspec.Struct):
    """The keys that an account knows."""

    account: str
    identities: list[IdentityItem]


_LEVELS: dict[str | None, TrustLevel] = {"TRUSTED_UNVERIFIED": "trusted", "TRUSTED_VERIFIED": "verified"}


class IdentityQuery(AccountQuery):
    """Whose."""

    recipient: Annotated[str, msgspec.Meta(description="Only of this person.", examples=[PERSON_UUID])] = ""


@routes.add(
    "GET", "/api/v2/identities", scope=Scope.CONTACTS, accounts=Reach.CHECKED, query=IdentityQuery,
    answers=[
        Answer(
            200, "The identities.", Identities,
            example={
                "account": ACCOUNT,
                "identities": [
                    {"uuid": PERSON_UUID, "number": PERSON, "trust": "trusted", "safety_number": "12345 67890", "scannable": None,
                     "fingerprint": "05 1a 2b", "added": 1700000000000}
                ],
            },
        ),
        INVALID, REFUSED,
    ],
)  # fmt: skip
async def list_known_identities(call: Call[None, IdentityQuery]) -> web.StreamResponse:
    """List the safety numbers that an account knows.

    Every person has one for each other; it changes with a new phone. Compare it with the person's own screen before you trust it.
    """
    named = str(person_of(call.query.recipient, "recipient")) if call.query.recipient else None
    account = await account_of(call, call.query.account)
    return json_answer(
        Identities(
            account,
            [
                IdentityItem(
                    uuid=one.uuid,
                    number=one.number,
                    trust=_LEVELS.get(one.trust_level, "untrusted"),
                    safety_number=one.safety_number,
                    scannable=one.scannable_safety_number,
                    fingerprint=one.fingerprint,
                    added=one.added_timestamp,
                )
                for one in await call.services.commands.list_identities(account, number=named)
            ],
        )
    )


class Trusting(msgspec.Struct):
    """Exactly one of the two."""

    safety_number: Annotated[str | None, msgspec.Meta(description="The number that both have compared: `verified` from now on.")] = None
    all_keys: Annotated[bool, msgspec.Meta(description="Trust without comparing: `trusted` from now on.")] = False


@routes.add(
    "PUT", "/api/v2/identities/{recipient}/trust", scope=Scope.ACCOUNTS, accounts=Reach.CHECKED, query=AccountQuery, body=Trusting,
    body_example={"all_keys": True},
    answers=[Answer(204, "Trusted; messages that waited for it go out."), INVALID, REFUSED],
)  # fmt: skip
async def trust_person(call: Call[Trusting, AccountQuery]) -> web.StreamResponse:
    """Trust a person's safety number, after it has changed or to mark it as verified.

    Best with `safety_number`, which both have compared; `all_keys` takes whatever is known. Messages that wait for it go out at once.
    """
    person = str(person_of(decode_again(call.path["recipient"]), "recipient"))
    number = (call.body.safety_number or "").strip()
    if bool(number) == call.body.all_keys:
        raise InvalidValue("safety_number", "safety_number: give either this or `all_keys`")
    account = await account_of(call, call.query.account)
    await call.services.commands.trust(
        account, recipient=person, trust_all_known_keys=call.body.all_keys, verified_safety_number=number or None
    )
    call.services.outbox.trusted(account)
    return empty()
