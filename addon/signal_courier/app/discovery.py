"""Telling Home Assistant that the service is here: a message to the Supervisor, which brings it to the integration.

The same message again changes nothing; another one replaces it. Where it is not wanted any more, it is withdrawn.
"""

import http.client
import json
import logging
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signal_courier.app import layout
from signal_courier.app.plan import Plan

_LOGGER = logging.getLogger(__name__)

SERVICE: Final = "signal_courier"
"""The integration's domain."""
_SUPERVISOR: Final = "supervisor"
_CALL_SECONDS: Final = 5.0
_PATIENCE: Final = 15.0
"""Seconds for which a Supervisor is asked again that does not answer; the next start asks anew."""
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)


class Refused(Exception):
    """The Supervisor does not want it; asking again is of no use."""


def message(plan: Plan, token: str) -> dict[str, object]:
    """What the integration is told."""
    config: dict[str, object] = {"host": socket.gethostname(), "port": plan.settings.port, "token": token}
    if plan.settings.tls_certificate is not None:  # it has the name under which people know the house, not the one that is used here
        config |= {"ssl": True, "verify_ssl": False}
    return {"service": SERVICE, "config": config}


def announce(plan: Plan) -> bool:
    """Announce or withdraw the service, as it is wanted; whether that was done. Never raises for what the Supervisor does."""
    note = plan.settings.data_dir / layout.ANNOUNCED
    try:
        if plan.announces:
            token = (plan.settings.data_dir / layout.TOKEN).read_text(encoding="ascii").strip()
            answer = _ask(plan, "POST", "/discovery", message(plan, token))
            uuid = answer.get("uuid")
            if isinstance(uuid, str):
                note.write_text(json.dumps({"uuid": uuid}), encoding="utf-8")
            _LOGGER.info("Home Assistant has been told of this service")
        elif plan.supervisor_token is not None and (uuid := _noted(note)) is not None:
            _ask(plan, "DELETE", f"/discovery/{uuid}", None)
            note.unlink()
            _LOGGER.info("Home Assistant is not told of this service any more")
    except (Refused, OSError) as error:
        _LOGGER.warning("Home Assistant could not be told of this service: %s", error)
        return False
    return True


def _ask(plan: Plan, method: str, path: str, body: Mapping[str, object] | None) -> Mapping[str, object]:
    """The Supervisor's answer. Raises `Refused`, and `OSError` when it cannot be reached in time."""
    deadline = time.monotonic() + _PATIENCE
    for pause in (*_PAUSES, *[_PAUSES[-1]] * 10):
        try:
            return _ask_once(plan, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() + pause >= deadline:
                raise OSError(f"the Supervisor does not answer ({error})") from error
        time.sleep(pause)
    raise AssertionError("the deadline comes first")


def _ask_once(plan: Plan, method: str, path: str, body: Mapping[str, object] | None) -> Mapping[str, object]:
    connection = http.client.HTTPConnection(_SUPERVISOR, timeout=_CALL_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {plan.supervisor_token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read(1 << 16)
    finally:
        connection.close()
    if answer.status >= 500:
        raise OSError(f"it says {answer.status}")
    if method == "DELETE" and answer.status == 404:  # nothing is there to be withdrawn
        return {}
    if answer.status != 200:
        raise Refused(f"the Supervisor says {answer.status}: {content[:200].decode(errors='replace')}")
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    data = found.get("data") if isinstance(found, dict) else None
    return data if isinstance(data, dict) else {}


def _noted(note: Path) -> str | None:
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
    uuid = found.get("uuid") if isinstance(found, dict) else None
    return uuid if isinstance(uuid, str) else None
