"""Telephone calls, without any sound: they ring, are taken, and end. They do not survive a restart."""

import base64
import secrets

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.dispatch import NoParams, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import IO_ERROR, Refusal, user_error
from signal_courier.engine.simulator.state import Account, Call

_RINGS = 0.05
_OPAQUE = base64.b64encode(bytes(4)).decode()


class StartCall(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `startCall`."""

    recipient: list[str] = []


class OfCall(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `acceptCall`, `rejectCall` and `hangupCall`; ids are 64 bits and may be any number."""

    call_id: int | None = None


@single("startCall", StartCall)
def start_call(network: Network, account: Account, params: StartCall) -> Json:
    """Ring somebody."""
    if not params.recipient:
        raise user_error("No recipient given")
    person = network.recipient(account, params.recipient[0])
    if not person.registered:
        raise user_error(f"Recipient not registered: Unregistered user: {person.address}")
    call = Call(id=secrets.randbits(62) | 1 << 61, account=account.uuid, other=person, outgoing=True, state="RINGING_OUTGOING")
    network.calls[account.uuid, call.id] = call
    receiver = network.world.accounts.get(person.uuid)
    if receiver is not None and receiver.uuid != account.uuid:
        caller = network.owner(account)
        network.calls[receiver.uuid, call.id] = Call(
            id=call.id, account=receiver.uuid, other=caller, outgoing=False, state="RINGING_INCOMING"
        )
        _tell(network, account, call, {"offerMessage": {"id": call.id, "type": "AUDIO_CALL", "opaque": _OPAQUE}})
    return _media(call)


@single("acceptCall", OfCall)
def accept_call(network: Network, account: Account, params: OfCall) -> Json:
    """Take a call."""
    call = _call(network, account, params.call_id, "Failed to accept call")
    if call.state != "RINGING_INCOMING":
        text = f"Failed to accept call: Call {call.id} is not in RINGING_INCOMING state (current: {call.state})"
        raise Refusal(IO_ERROR, text)
    call.state = "CONNECTED"
    other = network.calls.get((call.other.uuid, call.id))
    if other is not None:
        other.state = "CONNECTED"
    _tell(network, account, call, {"answerMessage": {"id": call.id, "opaque": _OPAQUE}})
    return _media(call)


@single("rejectCall", OfCall)
def reject_call(network: Network, account: Account, params: OfCall) -> Json:
    """Refuse a call."""
    return _end(network, account, _call(network, account, params.call_id, "Failed to reject call"))


@single("hangupCall", OfCall)
def hang_up(network: Network, account: Account, params: OfCall) -> Json:
    """End a call."""
    return _end(network, account, _call(network, account, params.call_id, "Failed to hang up call"))


@single("listCalls", NoParams)
def list_calls(network: Network, account: Account, _params: NoParams) -> Json:
    """The calls that ring or go on."""
    return [
        {
            "callId": call.id,
            "state": call.state,
            "number": call.other.number,
            "uuid": call.other.uuid,
            "isOutgoing": call.outgoing,
            "inputDeviceName": f"signal_input_{call.id}",
            "outputDeviceName": f"signal_output_{call.id}",
        }
        for call in network.calls.values()
        if call.account == account.uuid
    ]


def _end(network: Network, account: Account, call: Call) -> Json:
    network.calls.pop((account.uuid, call.id), None)
    if network.calls.pop((call.other.uuid, call.id), None) is not None:
        _tell(network, account, call, {"hangupMessage": {"id": call.id, "type": "NORMAL", "deviceId": 0}})
    return {}


def _call(network: Network, account: Account, call_id: int | None, complaint: str) -> Call:
    if call_id is None:
        raise user_error("No call ID given")
    call = network.calls.get((account.uuid, call_id))
    if call is None:
        raise Refusal(IO_ERROR, f"{complaint}: No active call with id {call_id}")
    return call


def _tell(network: Network, account: Account, call: Call, message: dict[str, Json]) -> None:
    receiver = network.world.accounts.get(call.other.uuid)
    if receiver is not None:
        sender, timestamp = network.owner(account), network.now()
        network.after(_RINGS, lambda: network.post(sender, receiver, timestamp, {"callMessage": message}))


def _media(call: Call) -> dict[str, Json]:
    return {
        "callId": call.id,
        "state": call.state,
        "inputDeviceName": f"signal_input_{call.id}",
        "outputDeviceName": f"signal_output_{call.id}",
        "codec": "opus",
        "sampleRate": 48000,
        "channels": 1,
        "ptimeMs": 20,
    }
