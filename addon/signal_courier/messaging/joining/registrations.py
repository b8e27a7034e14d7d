"""Registering a number as a person sees it: where it stands, and what is to be done next.

Signal may want a captcha first, sends the code by SMS or by a call (a call only some time after an SMS was asked for), and may want the PIN
with which the number is locked. None of that is an error.
"""

import enum
import re
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from signal_courier.engine.errors import CaptchaRejected, CaptchaRequired, EngineError, PinRequired
from signal_courier.messaging.joining.registration import Registration, VoiceRequired
from signal_courier.model.errors import MissingThing

VOICE_PAUSE = 60.0
"""Seconds between asking for an SMS and asking for a call, as Signal wants it."""
_KEPT = 64
_INVALID_CAPTCHA = re.compile(r"invalid captcha|\[403\]", re.IGNORECASE)
"""What is said of a captcha that was given and did not count; signal-cli 0.13.19 passes on the server's plain 403."""
_WRONG_CODE = re.compile(r"\[40[13]\]|Authorization failed|Invalid verification code", re.IGNORECASE)
_WRONG_PIN = re.compile(r"Invalid pin(?:, tries remaining: (\d+))?", re.IGNORECASE)


class RegistrationState(enum.StrEnum):
    """Where a registration stands."""

    CAPTCHA_REQUIRED = "captcha_required"
    VOICE_REQUIRED = "voice_required"
    """No SMS goes to this number: ask for a call from `voice_after` on."""
    CODE_SENT = "code_sent"
    PIN_REQUIRED = "pin_required"
    REGISTERED = "registered"


class RegistrationStatus(msgspec.Struct, kw_only=True):
    """One registration. Times in seconds since the epoch."""

    number: str
    state: RegistrationState
    changed: float
    voice: bool = False
    """Whether the code was last asked for by a call."""
    voice_after: float | None = None
    """From when on a call can be asked for."""
    captcha_rejected: bool = False
    """The captcha that was given did not count."""
    pin_rejected: bool = False
    """The PIN that was given is wrong."""
    pin_tries: int | None = None
    """Tries that are left; then the number stays locked until the time is over."""
    lock_hours: int | None = None
    """Hours until the lock ends by itself."""


class TooEarly(Exception):
    """A call is possible only after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"A call can be asked for in {seconds} seconds")
        self.seconds = seconds


class CodeRejected(Exception):
    """The code is not the one that Signal sent; the text is signal-cli's."""


class Registrations:
    """Registers numbers, and remembers where each stands."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration
        self._known: OrderedDict[str, RegistrationStatus] = OrderedDict()

    def all(self) -> Sequence[RegistrationStatus]:
        """Those of late."""
        return tuple(self._known.values())

    def get(self, number: str) -> RegistrationStatus:
        """Where a number stands. Raises `MissingThing`."""
        if (status := self._known.get(number)) is None:
            raise MissingThing("number", "No registration of this number was started here.")
        return status

    def forget(self, number: str) -> None:
        """Remember a registration no longer. Raises `MissingThing`."""
        self.get(number)
        del self._known[number]

    async def begin(self, number: str, *, voice: bool, captcha: str | None) -> RegistrationStatus:
        """Ask for a code, or go on with the captcha or the call that was wanted.

        Raises:
            InvalidValue: It is no phone number.
            TooEarly: A call is wanted before its time.
            EngineError: Signal refused for a reason that is no step of a registration.
        """
        before = self._known.get(number)
        voice_after = before.voice_after if before is not None else None
        if voice and voice_after is not None and (left := voice_after - time.time()) > 0:
            raise TooEarly(int(left) + 1)
        try:
            await self._registration.register(number, voice=voice, captcha=captcha)
        except CaptchaRequired:
            return self._put(number, RegistrationState.CAPTCHA_REQUIRED, voice_after=voice_after, captcha_rejected=captcha is not None)
        except CaptchaRejected:
            return self._put(number, RegistrationState.CAPTCHA_REQUIRED, voice_after=voice_after, captcha_rejected=True)
        except VoiceRequired:
            return self._put(number, RegistrationState.VOICE_REQUIRED, voice_after=time.time() + VOICE_PAUSE)
        except EngineError as error:
            if captcha is not None and _INVALID_CAPTCHA.search(error.message):
                return self._put(number, RegistrationState.CAPTCHA_REQUIRED, voice_after=voice_after, captcha_rejected=True)
            raise
        return self._put(number, RegistrationState.CODE_SENT, voice=voice, voice_after=time.time() + VOICE_PAUSE)

    async def verify(self, number: str, code: str, *, pin: str | None) -> RegistrationStatus:
        """Hand in the code, and the PIN where one is wanted.

        Raises:
            CodeRejected: It is another code.
            EngineError: Signal refused for another reason.
        """
        try:
            await self._registration.verify(number, code, pin=pin)
        except PinRequired as locked:
            return self._put(number, RegistrationState.PIN_REQUIRED, lock_hours=locked.hours)
        except EngineError as error:
            if wrong := _WRONG_PIN.search(error.message):
                before = self._known.get(number)
                return self._put(
                    number,
                    RegistrationState.PIN_REQUIRED,
                    pin_rejected=True,
                    pin_tries=int(wrong[1]) if wrong[1] else None,
                    lock_hours=before.lock_hours if before is not None else None,
                )
            if _WRONG_CODE.search(error.message):
                raise CodeRejected(error.message) from error
            raise
        return self._put(number, RegistrationState.REGISTERED)

    def _put(
        self,
        number: str,
        state: RegistrationState,
        *,
        voice: bool = False,
        voice_after: float | None = None,
        captcha_rejected: bool = False,
        pin_rejected: bool = False,
        pin_tries: int | None = None,
        lock_hours: int | None = None,
    ) -> RegistrationStatus:
        status = RegistrationStatus(
            number=number,
            state=state,
            changed=time.time(),
            voice=voice,
            voice_after=voice_after,
            captcha_rejected=captcha_rejected,
            pin_rejected=pin_rejected,
            pin_tries=pin_tries,
            lock_hours=lock_hours,
        )
        self._known[number] = status
        self._known.move_to_end(number)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return status
