"""Who speaks for which credential. The route declares the scope `gateway`; what that allows is decided here."""

import base64
import binascii

from signal_courier.access.credentials import Credential
from signal_courier.http.call import Call
from signal_courier.http.gateway.problems import Refusal
from signal_courier.http.problems import NotAllowed


def credential_for[B, Q](call: Call[B, Q], scope: str) -> Credential:
    """The caller's credential, if it has that scope. Raises `NotAllowed`, or `Refusal` where it is not active or not the one named."""
    found = call.services.credentials.of(call.caller)
    if found is None:
        raise NotAllowed
    if not found.is_super_admin:
        named = _client_id(call.request.headers.get("Authorization", ""))
        if not found.active or named not in (None, found.client_id):
            raise Refusal("invalid credentials", 401)
    if not found.may(scope):
        raise NotAllowed
    return found


def _client_id(header: str) -> str | None:
    """The user of Basic; `None` where the secret was shown in another way."""
    kind, _, rest = header.strip().partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
