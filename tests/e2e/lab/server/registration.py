"""Registering a number: a session, perhaps a captcha, a code, the account."""

import secrets
from dataclasses import dataclass, field

from tests.e2e.lab.server.keys import put_up
from tests.e2e.lab.server.network import Account, Device, Network, PublicKey, basic_credentials
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes

CODE = "123456"
"""The code that every SMS and every voice call brings."""
CAPTCHA_ENDING = "9"
"""Numbers that end so must solve a captcha first."""
BAD_CAPTCHA = "bad"
"""The captcha that is refused; every other one is right."""


class NewSession(CamelStruct, kw_only=True):
    """Body of `POST /v1/verification/session`."""

    number: str


class SessionUpdate(CamelStruct, kw_only=True):
    """Body of `PATCH /v1/verification/session/{id}`."""

    captcha: str | None = None


class CodeAttempt(CamelStruct, kw_only=True):
    """Body of `PUT /v1/verification/session/{id}/code`."""

    code: str


class AccountAttributes(CamelStruct, kw_only=True):
    """What a device says about itself."""

    registration_id: int
    pni_registration_id: int
    name: str | None = None


class DeviceKeys(CamelStruct, kw_only=True):
    """The keys a new device must bring."""

    aci_signed_pre_key: PublicKey
    pni_signed_pre_key: PublicKey
    aci_pq_last_resort_pre_key: PublicKey
    pni_pq_last_resort_pre_key: PublicKey
    account_attributes: AccountAttributes


class Registration(DeviceKeys, kw_only=True):
    """Body of `POST /v1/registration`."""

    session_id: str
    aci_identity_key: str
    pni_identity_key: str


class SessionView(CamelStruct, kw_only=True):
    """What a client sees of its session."""

    id: str
    next_sms: int = 0
    next_call: int = 0
    next_verification_attempt: int | None = 0
    allowed_to_request_code: bool
    requested_information: list[str]
    verified: bool


@dataclass(slots=True)
class _Session:
    number: str
    captcha_wanted: bool
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    verified: bool = False

    def view(self) -> SessionView:
        return SessionView(
            id=self.id,
            allowed_to_request_code=not self.captcha_wanted,
            requested_information=["captcha"] if self.captcha_wanted else [],
            verified=self.verified,
        )


def new_device(device_id: int, password: str, keys: DeviceKeys) -> Device:
    """A device with the keys it brought."""
    attributes = keys.account_attributes
    registration_ids = {"aci": attributes.registration_id, "pni": attributes.pni_registration_id}
    device = Device(device_id, password, {"aci": registration_ids["aci"], "pni": registration_ids["pni"]}, attributes.name)
    put_up(device.keys["aci"], signed=keys.aci_signed_pre_key, last_resort=keys.aci_pq_last_resort_pre_key)
    put_up(device.keys["pni"], signed=keys.pni_signed_pre_key, last_resort=keys.pni_pq_last_resort_pre_key)
    return device


class RegistrationDesk:
    """Sessions and what they lead to."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sessions: dict[str, _Session] = {}

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("POST", "/v1/verification/session", self._create)
        routes.add("GET", "/v1/verification/session/{id}", self._show)
        routes.add("PATCH", "/v1/verification/session/{id}", self._update)
        routes.add("POST", "/v1/verification/session/{id}/code", self._show)
        routes.add("PUT", "/v1/verification/session/{id}/code", self._try_code)
        routes.add("POST", "/v1/registration", self._register)

    async def _create(self, request: Request) -> Answer:
        number = request.decode(NewSession).number
        session = _Session(number, number.endswith(CAPTCHA_ENDING))
        self._sessions[session.id] = session
        return Answer(200, session.view())

    async def _show(self, request: Request) -> Answer:
        session = self._sessions.get(request.parameters["id"])
        return Answer(404) if session is None else Answer(200, session.view())

    async def _update(self, request: Request) -> Answer:
        session = self._sessions.get(request.parameters["id"])
        if session is None:
            return Answer(404)
        captcha = request.decode(SessionUpdate).captcha
        if captcha is not None:
            if captcha == BAD_CAPTCHA:
                return Answer(403, session.view())
            session.captcha_wanted = False
        return Answer(200, session.view())

    async def _try_code(self, request: Request) -> Answer:
        session = self._sessions.get(request.parameters["id"])
        if session is None:
            return Answer(404)
        session.verified = session.verified or request.decode(CodeAttempt).code == CODE
        return Answer(200, session.view())

    async def _register(self, request: Request) -> Answer:
        body = request.decode(Registration)
        session = self._sessions.get(body.session_id)
        if session is None or not session.verified:
            return Answer(401)
        known = self._network.by_number(session.number)
        account = known or self._network.add(Account(session.number))
        await account.remove_all_devices()
        account.identity_keys = {"aci": body.aci_identity_key, "pni": body.pni_identity_key}
        _user, password = basic_credentials(request.headers.get("authorization", ""))
        account.devices[1] = new_device(1, password, body)
        view = {"uuid": account.aci, "pni": account.pni, "number": account.number, "storageCapable": False}
        return Answer(200, view | {"reregistration": known is not None})
