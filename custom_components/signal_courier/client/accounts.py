"""Accounts: state, profile, settings, devices, and what Signal asks of them."""

from .models import Account, Device
from .transport import Transport, read, read_all

_PATH = "/api/v2/accounts"


class Accounts:
    """`/api/v2/accounts`. `account` is the client's unless given."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Account]:
        """The accounts that the token may use. Wants the scope `accounts`."""
        return read_all(Account, await self._transport.call("GET", _PATH), "accounts")

    async def get(self, account: str | None = None) -> Account:
        """One account. Raises `AccountUnknown`."""
        return read(Account, await self._transport.call("GET", self._path(account)))

    async def set_profile(
        self,
        *,
        given_name: str | None = None,
        family_name: str | None = None,
        about: str | None = None,
        about_emoji: str | None = None,
        avatar: str | None = None,
        remove_avatar: bool | None = None,
        account: str | None = None,
    ) -> None:
        """Change what others see; what is `None` stays. `avatar`: base64, or the id of an upload."""
        body = {
            "given_name": given_name,
            "family_name": family_name,
            "about": about,
            "about_emoji": about_emoji,
            "avatar": avatar,
            "remove_avatar": remove_avatar,
        }
        await self._transport.call("PATCH", self._path(account) + "/profile", body)

    async def set_settings(
        self,
        *,
        trust: str | None = None,
        device_name: str | None = None,
        discoverable_by_number: bool | None = None,
        share_number: bool | None = None,
        read_receipts: bool | None = None,
        typing_indicators: bool | None = None,
        link_previews: bool | None = None,
        account: str | None = None,
    ) -> None:
        """Change settings; what is `None` stays. The last three only work where no phone is the master."""
        body = {
            "trust": trust,
            "device_name": device_name,
            "discoverable_by_number": discoverable_by_number,
            "share_number": share_number,
            "read_receipts": read_receipts,
            "typing_indicators": typing_indicators,
            "link_previews": link_previews,
        }
        await self._transport.call("PATCH", self._path(account) + "/settings", body)

    async def devices(self, account: str | None = None) -> list[Device]:
        """The devices that are linked to an account, the phone first."""
        return read_all(Device, await self._transport.call("GET", self._path(account) + "/devices"), "devices")

    async def sync(self, account: str | None = None) -> None:
        """Ask the phone for contacts, groups and settings."""
        await self._transport.call("POST", self._path(account) + "/sync")

    async def solve_challenge(self, token: str, captcha: str, account: str | None = None) -> None:
        """Lift a rate limit with a solved captcha. Raises `Problem` (`captcha-rejected`)."""
        await self._transport.call("POST", self._path(account) + "/challenge", {"token": token, "captcha": captcha})

    async def unlink(self, account: str | None = None) -> None:
        """Give a linked account up and delete its data."""
        await self._transport.call("POST", self._path(account) + "/unlink")

    async def delete_local_data(self, account: str | None = None, *, ignore_registered: bool = False) -> None:
        """Delete an account's keys, contacts and groups here."""
        await self._transport.call("DELETE", self._path(account), query={"ignore_registered": ignore_registered})

    def _path(self, account: str | None) -> str:
        return f"{_PATH}/{self._transport.number(account)}"
