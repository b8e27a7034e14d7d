"""What to do about new safety numbers, by account.

Kept where upstream keeps it, in `<signal-cli's folder>/api-config.yml`, so that a folder taken over from there goes on as it was:
`config: {"+4915100000001": {trust_mode: 1}}` with 0 on-first-use, 1 always, 2 never. Where that folder is not ours to write, in a file
of the same form in our own.

signal-cli has one policy for all accounts, which is that of the settings. What an account deviates from it is made up for here: `always`
by trusting and sending again, `never` by asking before a send to persons (groups are not looked through). `on-first-use` cannot be made
up for where the settings say otherwise.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, cast

from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import SendResult, UntrustedIdentity, results_of
from signal_courier.settings import TrustMode

_LOGGER = logging.getLogger(__name__)

_FILE: Final = "api-config.yml"
MODES: Final[tuple[TrustMode, ...]] = ("on-first-use", "always", "never")
"""In the order of their numbers in the file."""


class TrustPolicy:
    """Whom to trust when a safety number is new."""

    def __init__(self, commands: Commands, *, config_dir: Path, data_dir: Path, default: TrustMode) -> None:
        self._commands = commands
        self._home = config_dir / _FILE
        self._fallback = data_dir / _FILE
        self._default = default
        self._modes: dict[str, TrustMode] | None = None
        self._writing = asyncio.Lock()

    async def mode(self, account: str) -> TrustMode:
        """The account's policy; that of the settings when nobody has set another."""
        return (await self._known()).get(account, self._default)

    async def set_mode(self, account: str, mode: TrustMode) -> None:
        """Change the account's policy, on disk too. Raises `OSError` when it can be written nowhere."""
        async with self._writing:
            modes = {**await self._known(), account: mode}
            await asyncio.to_thread(_write_first, (self._home, self._fallback), modes)
            self._modes = modes

    async def accepts(self, account: str, error: UntrustedIdentity) -> bool:
        """Trust those whom a send failed to reach, if the account's policy is `always`; gives whether it is worth another try."""
        return await self.accept_all(account, results_of(error))

    async def accept_all(self, account: str, results: Iterable[SendResult]) -> bool:
        """The same for the results of a send that reached others."""
        untrusted = [name for result in results if result.type == "IDENTITY_FAILURE" and (name := _name(result))]
        if not untrusted or await self.mode(account) != "always":
            return False
        for name in dict.fromkeys(untrusted):
            await self._commands.trust(account, recipient=name, trust_all_known_keys=True)
            _LOGGER.info("a new safety number was trusted, as the account's trust_mode says")
        return True

    def asks(self, account: str) -> bool:
        """Whether `check` may have something to say about this account's sends; tells without waiting."""
        return self._default != "never" and (self._modes is None or self._modes.get(account, self._default) == "never")

    async def check(self, account: str, persons: Iterable[str]) -> None:
        """Before a send to these numbers or ACIs: with `never`, nobody is written to whose safety number has not been trusted.

        Raises:
            UntrustedIdentity: Somebody of them is new, or has a new safety number.
        """
        if self._default == "never" or await self.mode(account) != "never":
            return
        wanted = set(persons)
        for identity in await self._commands.list_identities(account) if wanted else ():
            if identity.trust_level in ("TRUSTED_VERIFIED", "TRUSTED_UNVERIFIED"):
                wanted -= {identity.number, identity.uuid}
        if wanted - {account}:
            raise UntrustedIdentity("Failed to send message due to untrusted identities")

    async def _known(self) -> Mapping[str, TrustMode]:
        if self._modes is None:
            self._modes = await asyncio.to_thread(lambda: {**_read(self._home), **_read(self._fallback)})
        return self._modes


def _name(result: SendResult) -> str | None:
    address = result.recipient_address
    return (address.uuid or address.number) if address is not None else None


def _read(file: Path) -> dict[str, TrustMode]:
    """What a file holds; nothing when there is none, or when it makes no sense."""
    try:
        text = file.read_bytes()
    except OSError:
        return {}
    import yaml  # noqa: PLC0415  # only who has such a file pays for it

    try:
        content = yaml.safe_load(text)
        entries = cast("Mapping[object, Mapping[str, int]]", (content or {}).get("config") or {})
        # A number without quotes is a number to YAML, and has lost its plus.
        return {f"+{str(number).lstrip('+')}": MODES[entry["trust_mode"]] for number, entry in entries.items() if "trust_mode" in entry}
    except (yaml.YAMLError, AttributeError, IndexError, TypeError, ValueError) as error:
        _LOGGER.warning("%s is ignored, it cannot be understood: %s", file, error)
        return {}


def _write_first(files: tuple[Path, Path], modes: Mapping[str, TrustMode]) -> None:
    home, fallback = files
    try:
        _write(home, modes)
    except OSError as error:
        _LOGGER.debug("%s cannot be written: %s", home, error)
        _write(fallback, modes)
    else:
        fallback.unlink(missing_ok=True)


def _write(file: Path, modes: Mapping[str, TrustMode]) -> None:
    import yaml  # noqa: PLC0415

    content = {"config": {number: {"trust_mode": MODES.index(mode)} for number, mode in modes.items()}}
    new = file.with_name(f"{file.name}.new")
    new.write_text(yaml.safe_dump(content), encoding="utf-8")
    new.replace(file)
