"""Commands about an account itself: registration, settings, profile, number."""

import msgspec

from signal_courier.engine.answers import Number, Username
from signal_courier.engine.commands.asking import Asking

_accounts = msgspec.json.Decoder(list[Number])
_username = msgspec.json.Decoder(Username | None)


class AccountCommands(Asking):
    """How an account comes, what it is like, and how it goes."""

    async def list_accounts(self) -> list[str]:
        """The numbers of all loaded accounts."""
        return [account.number for account in await self._ask("listAccounts", _accounts) if account.number]

    async def register(self, account: str, *, voice: bool = False, captcha: str | None = None, reregister: bool = False) -> None:
        """Ask for a code by SMS, or by voice. signal-cli does not check the number: do it before."""
        await self._do("register", account=account, voice=voice or None, captcha=captcha, reregister=reregister or None)

    async def verify(self, account: str, *, verification_code: str, pin: str | None = None) -> None:
        """Finish the registration."""
        await self._do("verify", account=account, verificationCode=verification_code, pin=pin)

    async def unregister(self, account: str, *, delete_account: bool = False) -> None:
        """Take no more messages; with `delete_account` delete it from Signal's server."""
        await self._do("unregister", account=account, deleteAccount=delete_account or None)

    async def delete_local_account_data(self, account: str, *, ignore_registered: bool = False) -> None:
        """Delete what is on disk; an account that is still registered only with `ignore_registered`."""
        await self._do("deleteLocalAccountData", account=account, ignoreRegistered=ignore_registered or None)

    async def update_account(
        self,
        account: str,
        *,
        device_name: str | None = None,
        unrestricted_unidentified_sender: bool | None = None,
        discoverable_by_number: bool | None = None,
        number_sharing: bool | None = None,
        username: str | None = None,
        delete_username: bool = False,
    ) -> Username:
        """Change the account's settings at Signal; answers the username if one was set."""
        answer = await self._ask(
            "updateAccount",
            _username,
            account=account,
            deviceName=device_name,
            unrestrictedUnidentifiedSender=unrestricted_unidentified_sender,
            discoverableByNumber=discoverable_by_number,
            numberSharing=number_sharing,
            username=username,
            deleteUsername=delete_username or None,
        )
        return answer or Username()

    async def update_configuration(
        self,
        account: str,
        *,
        read_receipts: bool | None = None,
        unidentified_delivery_indicators: bool | None = None,
        typing_indicators: bool | None = None,
        link_previews: bool | None = None,
    ) -> None:
        """Change the settings that the account's devices share."""
        await self._do(
            "updateConfiguration",
            account=account,
            readReceipts=read_receipts,
            unidentifiedDeliveryIndicators=unidentified_delivery_indicators,
            typingIndicators=typing_indicators,
            linkPreviews=link_previews,
        )

    async def update_profile(
        self,
        account: str,
        *,
        given_name: str | None = None,
        family_name: str | None = None,
        about: str | None = None,
        about_emoji: str | None = None,
        mobile_coin_address: str | None = None,
        avatar: str | None = None,
        remove_avatar: bool = False,
    ) -> None:
        """Change the own profile; `avatar` is a path."""
        await self._do(
            "updateProfile",
            account=account,
            givenName=given_name,
            familyName=family_name,
            about=about,
            aboutEmoji=about_emoji,
            mobileCoinAddress=mobile_coin_address,
            avatar=avatar,
            removeAvatar=remove_avatar or None,
        )

    async def set_pin(self, account: str, *, pin: str) -> None:
        """Lock the number against registration by others."""
        await self._do("setPin", account=account, pin=pin)

    async def remove_pin(self, account: str) -> None:
        """Take the lock away."""
        await self._do("removePin", account=account)

    async def start_change_number(self, account: str, *, number: str, voice: bool = False, captcha: str | None = None) -> None:
        """Ask for a code to take the account to another number."""
        await self._do("startChangeNumber", account=account, number=number, voice=voice or None, captcha=captcha)

    async def finish_change_number(self, account: str, *, number: str, verification_code: str, pin: str | None = None) -> None:
        """Finish the change of number."""
        await self._do("finishChangeNumber", account=account, number=number, verificationCode=verification_code, pin=pin)

    async def submit_rate_limit_challenge(self, account: str, *, challenge: str, captcha: str) -> None:
        """Lift a rate limit: `challenge` is the token of the failed send."""
        await self._do("submitRateLimitChallenge", account=account, challenge=challenge, captcha=captcha)
