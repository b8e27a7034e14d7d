"""`/v1/configuration`: how much is logged, and each account's trust in new safety numbers."""

import logging
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier import logs
from signal_courier.access.scopes import Scope
from signal_courier.http.answers import empty, json_answer
from signal_courier.http.call import Call
from signal_courier.http.compat.examples import refusal
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.trust import MODES
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Configuration")
_LOGGER = logging.getLogger(__name__)

_SYNONYMS = {"critical": "error", "warning": "warn"}
"""What Python calls the levels."""


class Configuration(msgspec.Struct):
    """The service's configuration, `{"logging": {"Level": …}}`."""

    logging: Annotated[
        dict[str, str | None],
        msgspec.Meta(
            description="`Level`: debug, info, warn or error; empty leaves it as it is. "
            "`level` with one of DEBUG, INFO, WARNING, ERROR, CRITICAL is understood too.",
            examples=[{"Level": "info"}],
        ),
    ] = {}


@routes.add(
    "GET", "/v1/configuration", scope=Scope.ADMIN,
    answers=[Answer(200, "The configuration; the level is empty when it is error.", Configuration, example={"logging": {"Level": "info"}})],
)  # fmt: skip
async def get_configuration(_: Call[None, None]) -> web.StreamResponse:
    """Tell the configuration.

    Only how much is logged; everything else is set when the service starts.
    """
    return json_answer(Configuration({"Level": logs.current_level()}))


@routes.add(
    "POST", "/v1/configuration", scope=Scope.ADMIN, body=Configuration, body_example={"logging": {"Level": "debug"}},
    answers=[
        Answer(204, "Changed, until the service is started anew."),
        Answer(200, "Changed; for python-signal-cli-rest-api's spelling.", Configuration, example={"logging": {"level": "DEBUG"}}),
        refusal("No such level.", "Couldn't set log level - invalid log level"),
    ],
)  # fmt: skip
async def set_configuration(call: Call[Configuration, None]) -> web.StreamResponse:
    """Change how much is logged.

    `debug` tells each step of a request, never texts or tokens. It holds until the service is started anew, whose level `LOG_LEVEL` sets.
    """
    key, given = next(((key, value) for key, value in call.body.logging.items() if key.casefold() == "level" and value), ("", None))
    if not given:
        return empty()
    level = _SYNONYMS.get(given.lower(), given.lower())
    if level not in logs.LEVELS:
        raise InvalidValue("logging.Level", "Couldn't set log level - invalid log level")
    logs.set_level(level)
    _LOGGER.info("log level set to %s", level)
    if key == "level" and given.isupper():
        return json_answer(Configuration({"level": given}))
    return empty()


class AccountSettings(msgspec.Struct):
    """An account's settings on this server."""

    trust_mode: Annotated[
        str,
        msgspec.Meta(
            description="on-first-use: a person's first safety number is trusted, a new one is not until somebody says so. "
            "always: new ones are trusted without asking. never: nobody is written to before their safety number is trusted."
        ),
    ] = ""


_TRUST_EXAMPLE = {"trust_mode": "on-first-use"}


@routes.add(
    "GET", "/v1/configuration/{number}/settings", scope=Scope.ADMIN,
    answers=[Answer(200, "The account's settings.", AccountSettings, example=_TRUST_EXAMPLE)],
)  # fmt: skip
async def get_trust_mode(call: Call[None, None]) -> web.StreamResponse:
    """Tell an account's settings.

    Its trust mode: what happens when somebody's safety number is new.
    """
    return json_answer(AccountSettings(await call.services.trust.mode(call.account)))


@routes.add(
    "POST", "/v1/configuration/{number}/settings", scope=Scope.ADMIN, body=AccountSettings, body_example=_TRUST_EXAMPLE,
    answers=[
        Answer(204, "Changed, for good."),
        refusal("No such mode.", "Invalid trust mode"),
    ],
)  # fmt: skip
async def set_trust_mode(call: Call[AccountSettings, None]) -> web.StreamResponse:
    """Change an account's settings.

    Its trust mode, from now on and through restarts. `always` spares questions when people get new phones, and would let somebody in
    between go unnoticed.
    """
    if call.body.trust_mode not in MODES:
        raise InvalidValue("trust_mode", "Invalid trust mode")
    try:
        await call.services.trust.set_mode(call.account, call.body.trust_mode)
    except OSError as error:
        raise InvalidValue("trust_mode", f"Couldn't set trust mode: {error.strerror}") from error
    call.services.outbox.trusted(call.account)
    return empty()
