"""Commands about people: contacts, who is on Signal, safety numbers."""

import msgspec

from signal_courier.engine.answers import Contact, Identity, UserStatus
from signal_courier.engine.commands.asking import Asking, Strings

_contacts = msgspec.json.Decoder(list[Contact])
_identities = msgspec.json.Decoder(list[Identity])
_statuses = msgspec.json.Decoder(list[UserStatus])


class PeopleCommands(Asking):
    """What the account knows of others."""

    async def list_contacts(
        self,
        account: str,
        *,
        recipient: Strings = (),
        name: str | None = None,
        all_recipients: bool = False,
        blocked: bool | None = None,
        internal: bool = False,
    ) -> list[Contact]:
        """The contacts: all that are known with `all_recipients`, only (not) blocked ones, or those named."""
        return await self._ask(
            "listContacts",
            _contacts,
            account=account,
            recipient=recipient or None,
            name=name,
            allRecipients=all_recipients or None,
            blocked=blocked,
            internal=internal or None,
        )

    async def update_contact(
        self,
        account: str,
        *,
        recipient: str,
        name: str | None = None,
        given_name: str | None = None,
        family_name: str | None = None,
        nick_given_name: str | None = None,
        nick_family_name: str | None = None,
        note: str | None = None,
        expiration: int | None = None,
    ) -> None:
        """Change what is saved of a person; `expiration` of messages in seconds, 0 = never."""
        await self._do(
            "updateContact",
            account=account,
            recipient=recipient,
            name=name,
            givenName=given_name,
            familyName=family_name,
            nickGivenName=nick_given_name,
            nickFamilyName=nick_family_name,
            note=note,
            expiration=expiration,
        )

    async def remove_contact(self, account: str, *, recipient: str, hide: bool = False, forget: bool = False) -> None:
        """Remove a contact; only hide it, or forget everything with keys and sessions."""
        await self._do("removeContact", account=account, recipient=recipient, hide=hide or None, forget=forget or None)

    async def send_contacts(self, account: str) -> None:
        """Send the contacts to the account's other devices."""
        await self._do("sendContacts", account=account)

    async def send_sync_request(self, account: str) -> None:
        """Ask the phone for contacts, groups and settings."""
        await self._do("sendSyncRequest", account=account)

    async def block(self, account: str, *, recipient: Strings = (), group_id: Strings = ()) -> None:
        """Take no more messages from these."""
        await self._do("block", account=account, recipient=recipient or None, groupId=group_id or None)

    async def unblock(self, account: str, *, recipient: Strings = (), group_id: Strings = ()) -> None:
        """Take messages from these again."""
        await self._do("unblock", account=account, recipient=recipient or None, groupId=group_id or None)

    async def get_user_status(self, account: str, *, recipient: Strings = (), username: Strings = ()) -> list[UserStatus]:
        """Who of these is on Signal."""
        return await self._ask("getUserStatus", _statuses, account=account, recipient=recipient or None, username=username or None)

    async def list_identities(self, account: str, *, number: str | None = None) -> list[Identity]:
        """The safety numbers, of all or of one recipient."""
        return await self._ask("listIdentities", _identities, account=account, number=number)

    async def trust(
        self, account: str, *, recipient: str, trust_all_known_keys: bool = False, verified_safety_number: str | None = None
    ) -> None:
        """Trust somebody's keys: all that are known (for tests), or after comparing the safety number."""
        await self._do(
            "trust",
            account=account,
            recipient=recipient,
            trustAllKnownKeys=trust_all_known_keys or None,
            verifiedSafetyNumber=verified_safety_number,
        )
