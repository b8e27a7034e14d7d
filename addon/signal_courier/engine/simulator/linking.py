"""Joining as a second device: the code that is shown, and a phone that scans it after some seconds.

Where a phone had removed this device (`Account.unlinked`), that is the phone that scans.
"""

import base64
import re
import secrets

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator import cast
from signal_courier.engine.simulator.dispatch import NoParams, multi, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import user_error
from signal_courier.engine.simulator.state import Account, Person

SCANNED_AFTER = 6.0
"""Seconds until a phone has scanned the code, unless one is told to before (`addDevice`)."""
_DEVICE = 2
_MOST_CODES = 100


class FinishLink(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Parameters of `finishLink`."""

    device_link_uri: str | None = None
    device_name: str | None = None


@multi("startLink", NoParams)
def start_link(network: Network, _params: NoParams) -> Json:
    """A new code."""
    key = base64.b64encode(b"\x05" + secrets.token_bytes(32)).decode().rstrip("=").replace("+", "%2B").replace("/", "%2F")
    uri = f"sgnl://linkdevice?uuid={secrets.token_urlsafe(16)}&pub_key={key}"
    network.codes[uri] = None
    while len(network.codes) > _MOST_CODES:
        network.codes.pop(next(iter(network.codes)))
    return {"deviceLinkUri": uri}


@multi("finishLink", FinishLink)
async def finish_link(network: Network, params: FinishLink) -> Json:
    """Wait for the phone; gives the number of the new account."""
    uri = params.device_link_uri
    if uri is None:
        raise user_error("Missing deviceLinkUri.")
    if re.search(r"[\s<>{}]", uri):
        raise user_error("Invalid device link uri.")
    if uri not in network.codes:
        raise user_error("Unknown device link uri.")
    del network.codes[uri]
    await network.scanned(uri, SCANNED_AFTER)
    if (removed := next((account for account in network.world.accounts.values() if account.unlinked), None)) is not None:
        removed.loaded, removed.unlinked = True, False
        network.after(1.0, lambda: _sync(network, removed, network.owner(removed)))
        return {"number": removed.number}
    account = cast.new_account(
        network.world, _free_number(network), device_id=_DEVICE, device_name=params.device_name or "cli", now=network.now()
    )
    person = network.owner(account)
    if person.given_name is None:
        person.given_name = "Linked"
    network.after(1.0, lambda: _sync(network, account, person))
    return {"number": account.number}


@single("sendSyncRequest", NoParams)
def send_sync_request(network: Network, account: Account, _params: NoParams) -> Json:
    """Ask the primary device for contacts and settings."""
    if account.is_linked:
        network.after(1.0, lambda: _sync(network, account, network.owner(account)))
    return {}


def _sync(network: Network, account: Account, person: Person) -> None:
    """What a phone sends to a device that asks: contacts, blocks, settings, keys."""
    blocked = [network.person(uuid).address for uuid, contact in account.contacts.items() if contact.blocked]
    messages: tuple[dict[str, Json], ...] = (
        {"type": "CONTACTS_SYNC"}, {"blockedNumbers": blocked, "blockedGroupIds": sorted(account.blocked_groups)}, {}, {},
    )  # fmt: skip
    for message in messages:
        network.post(person, account, network.now(), {"syncMessage": message})


def _free_number(network: Network) -> str:
    taken = {account.number for account in network.world.accounts.values()}
    if cast.LINKED not in taken:
        return cast.LINKED
    return next(number for number in (f"+4915100000{last}" for last in range(101, 1000)) if number not in taken)
