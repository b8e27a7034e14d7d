"""`/v1/identities`: safety numbers, and whom to trust."""

from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call, decode_again
from signal_courier.http.compat.examples import PERSON, PERSON_UUID, refusal
from signal_courier.http.compat.targets import person
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Identities")


class IdentityEntry(msgspec.Struct):
    """A person's key."""

    number: str
    status: Annotated[str, msgspec.Meta(description="UNTRUSTED, TRUSTED_UNVERIFIED or TRUSTED_VERIFIED.")]
    fingerprint: str
    added: Annotated[str, msgspec.Meta(description="Milliseconds since 1970, as text.")]
    safety_number: str
    uuid: str


@routes.add(
    "GET", "/v1/identities/{number}", scope=Scope.CONTACTS, failure=500,
    answers=[
        Answer(
            200, "The identities.", list[IdentityEntry],
            example=[
                {"number": PERSON, "status": "TRUSTED_UNVERIFIED", "fingerprint": "05 1a 2b", "added": "1700000000000",
                 "safety_number": "12345 67890", "uuid": PERSON_UUID}
            ],
        ),
    ],
)  # fmt: skip
async def list_identities(call: Call[None, None]) -> web.StreamResponse:
    """List the safety numbers that an account knows.

    Every person has one for each other; it changes with a new phone. Compare it with the person's own screen before `trust`.
    """
    return json_answer(
        [
            IdentityEntry(
                number=identity.number or "",
                status=identity.trust_level or "",
                fingerprint=identity.fingerprint or "",
                added=str(identity.added_timestamp),
                safety_number=identity.safety_number or "",
                uuid=identity.uuid or "",
            )
            for identity in await call.services.commands.list_identities(call.account)
        ]
    )


class TrustIdentity(msgspec.Struct):
    """Exactly one of the two."""

    verified_safety_number: Annotated[
        str | None, msgspec.Meta(description="The safety number that both have compared.", examples=["12345 67890 12345 67890"])
    ] = None
    trust_all_known_keys: Annotated[bool | None, msgspec.Meta(description="Trust without comparing.")] = None


_NEITHER = (
    "Couldn't process request - please either provide a safety number (preferred & more secure) or set 'trust_all_known_keys' to true"
)
_BOTH = (
    "Couldn't process request - please either provide a safety number or set 'trust_all_known_keys' to true. "
    "But do not set both parameters at once!"
)
_EMPTY = "Couldn't process request - please provide a valid safety number"


@routes.add(
    "PUT", "/v1/identities/{number}/trust/{numberToTrust}", scope=Scope.ACCOUNTS, body=TrustIdentity,
    body_example={"trust_all_known_keys": True},
    answers=[Answer(204, "Trusted."), refusal("Neither or both were given, or the safety number is another.", _NEITHER)],
)  # fmt: skip
async def trust_identity(call: Call[TrustIdentity, None]) -> web.StreamResponse:
    """Trust a person's safety number, after it has changed or to mark it as verified.

    Best with `verified_safety_number`, which both have compared. `trust_all_known_keys` takes whatever is known. Messages that wait for it
    go out at once.
    """
    safety_number, all_keys = call.body.verified_safety_number, bool(call.body.trust_all_known_keys)
    if safety_number is None and not all_keys:
        raise InvalidValue("verified_safety_number", _NEITHER)
    if safety_number is not None and all_keys:
        raise InvalidValue("trust_all_known_keys", _BOTH)
    if safety_number is not None and not safety_number.strip():
        raise InvalidValue("verified_safety_number", _EMPTY)
    trusted = str(person(decode_again(call.path["numberToTrust"]), "numberToTrust"))
    await call.services.commands.trust(call.account, recipient=trusted, trust_all_known_keys=all_keys, verified_safety_number=safety_number)
    call.services.outbox.trusted(call.account)
    return empty()
