"""Registration of a number of one's own: a code by SMS or voice, then the code."""

import re
from collections.abc import Callable

from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineFault, Rejected, TransportRefused
from signal_courier.model.errors import InvalidValue

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_USE_VOICE = (
    "Couldn't use SMS verification to register the specified number. "
    'Wait 60 seconds and try again with {"use_voice": true}'
)  # fmt: skip


class VoiceRequired(Rejected):
    """No SMS goes to this number: a code can only be told by a call."""


class Registration:
    """Registers, verifies, unregisters."""

    def __init__(self, commands: Commands, on_change: Callable[[], None]) -> None:
        """`on_change` is called whenever an account has come or gone."""
        self._commands = commands
        self._on_change = on_change

    async def register(self, number: str, *, voice: bool, captcha: str | None) -> None:
        """Ask for a code. `captcha` with or without `signalcaptcha://`.

        The number is checked first: signal-cli would leave an account with keys on disk for whatever it is given.

        Raises:
            InvalidValue: It is no phone number.
            EngineError: Signal refused; a captcha may be wanted.
        """
        if not _E164.fullmatch(number):
            raise InvalidValue("number", "Couldn't process request - please provide a valid number")
        try:
            await self._commands.register(number, voice=voice, captcha=captcha)
        except TransportRefused as refusal:
            raise refusal if voice else VoiceRequired(_USE_VOICE, code=refusal.code) from refusal
        finally:
            self._on_change()  # registering anew takes a loaded account away, even when it then fails

    async def verify(self, number: str, code: str, *, pin: str | None) -> None:
        """Finish with the code that came, and the PIN where the number is locked with one. Raises an `EngineError`."""
        try:
            await self._commands.verify(number, verification_code=code, pin=pin)
        except EngineFault as fault:
            if "NullPointerException" in fault.message:  # signal-cli 0.13.19's way to say so
                raise Rejected("No registration of this number has been started: register it first", code=fault.code) from fault
            raise
        self._on_change()

    async def unregister(self, number: str, *, delete_account: bool, delete_local_data: bool) -> None:
        """Take no more messages; on wish delete the account at Signal and what is on disk. Raises an `EngineError`."""
        await self._commands.unregister(number, delete_account=delete_account)
        if delete_local_data:
            await self._commands.delete_local_account_data(number)
        self._on_change()

    async def delete_local_data(self, number: str, *, ignore_registered: bool) -> None:
        """Delete what is on disk. Raises an `EngineError`."""
        await self._commands.delete_local_account_data(number, ignore_registered=ignore_registered)
        self._on_change()
