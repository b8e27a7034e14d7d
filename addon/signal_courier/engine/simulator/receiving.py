"""What signal-cli says about itself, its accounts and what it received."""

import base64

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.dispatch import Integer, NoParams, multi, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import user_error
from signal_courier.engine.simulator.state import Account

VERSION = "0.14.6"
"""The version of signal-cli that the simulator behaves like."""
_TIMEOUT = 3.0
"""Seconds that `receive` waits if nothing else is said."""


class Receive(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Parameters of `receive`; the timeout is in seconds, negative = for ever."""

    timeout: float | None = None
    max_messages: Integer | None = None


class Unsubscribe(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of the two unsubscribing methods."""

    subscription: Integer


class GetAttachment(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `getAttachment`."""

    id: str | None = None


@multi("version", NoParams)
def version(_network: Network, _params: NoParams) -> Json:
    """The version."""
    return {"version": VERSION}


@multi("listAccounts", NoParams)
def list_accounts(network: Network, _params: NoParams) -> Json:
    """The accounts that are loaded."""
    return [{"number": account.number} for account in network.world.accounts.values() if account.loaded]


@multi("subscribeReceive", NoParams)
@multi("subscribeCallEvents", NoParams)
def subscribe(network: Network, _params: NoParams) -> Json:
    """A subscription more; the simulator's own one is not among them."""
    network.subscriptions += 1
    return network.subscriptions - 1


@multi("unsubscribeReceive", Unsubscribe)
@multi("unsubscribeCallEvents", Unsubscribe)
def unsubscribe(_network: Network, _params: Unsubscribe) -> Json:
    """A subscription less."""
    return {}


@single("receive", Receive)
async def receive(network: Network, account: Account, params: Receive) -> Json:
    """Take what waits for the account; only possible while nothing is subscribed."""
    if network.sink is not None:
        raise user_error("Receive command cannot be used if messages are already being received.")
    limit = params.max_messages if params.max_messages is not None and params.max_messages >= 0 else None
    frames = network.mailbox.take_for(account.number, limit)
    if not frames:
        timeout = _TIMEOUT if params.timeout is None else params.timeout
        await network.pass_time(max(0.0, timeout))
        frames = network.mailbox.take_for(account.number, limit)
    return [msgspec.json.decode(frame) for frame in frames]


@single("getAttachment", GetAttachment)
def get_attachment(network: Network, _account: Account, params: GetAttachment) -> Json:
    """The content of a received file."""
    if params.id is None:
        raise user_error("Missing attachment id parameter")
    try:
        return {"data": base64.b64encode(network.files.attachment(params.id)).decode()}
    except OSError as error:
        raise user_error(f"Could not find attachment with ID: {params.id}") from error
