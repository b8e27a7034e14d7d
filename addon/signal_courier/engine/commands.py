"""Signal-cli's commands: one typed method each, named as the command is, in snake_case.

Parameters are signal-cli's too (`targetTimestamp` → `target_timestamp`); what is not given is not sent. Lists of recipients
(`recipient`, `group_id`, `username`) take numbers, ACI uuids, `PNI:…`; raw base64 group ids; usernames. Every method raises the
`EngineError` that the answer means; what the running signal-cli is too old for is refused with `Unsupported`.
"""

import contextlib
import typing
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from signal_courier.engine import versions
from signal_courier.engine.answers import (
    Call,
    Contact,
    Data,
    Device,
    Group,
    GroupAnswer,
    Identity,
    LinkUri,
    Number,
    SendAnswer,
    StickerPack,
    Uploaded,
    Username,
    UserStatus,
    Version,
)
from signal_courier.engine.base import AccountState, Engine, Json
from signal_courier.engine.errors import AccountUnknown, AccountUnlinked, EngineFault, Unsupported, needs_version

type Strings = Sequence[str]

type GroupPermission = Literal["every-member", "only-admins"]
type GroupLinkState = Literal["enabled", "enabled-with-approval", "disabled"]

_send = msgspec.json.Decoder(SendAnswer)
_group_answer = msgspec.json.Decoder(GroupAnswer)
_accounts = msgspec.json.Decoder(list[Number])
_number = msgspec.json.Decoder(Number)
_groups = msgspec.json.Decoder(list[Group])
_contacts = msgspec.json.Decoder(list[Contact])
_identities = msgspec.json.Decoder(list[Identity])
_devices = msgspec.json.Decoder(list[Device])
_packs = msgspec.json.Decoder(list[StickerPack])
_statuses = msgspec.json.Decoder(list[UserStatus])
_calls = msgspec.json.Decoder(list[Call])
_call = msgspec.json.Decoder(Call)
_username = msgspec.json.Decoder(Username | None)
_link = msgspec.json.Decoder(LinkUri)
_data = msgspec.json.Decoder(Data)
_uploaded = msgspec.json.Decoder(Uploaded)
_version = msgspec.json.Decoder(Version)
_frames = msgspec.json.Decoder(list[msgspec.Raw])
_subscription = msgspec.json.Decoder(int)


class Commands:
    """What can be asked of signal-cli. `account` is always the number (E.164) of the account that acts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- messages

    async def send(
        self,
        account: str,
        *,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
        no_urgent: bool = False,
        end_session: bool = False,
        message: str | None = None,
        attachment: Strings = (),
        view_once: bool = False,
        voice_note: bool = False,
        mention: Strings = (),
        text_style: Strings = (),
        sticker: str | None = None,
        quote_timestamp: int | None = None,
        quote_author: str | None = None,
        quote_message: str | None = None,
        quote_mention: Strings = (),
        quote_text_style: Strings = (),
        quote_attachment: Strings = (),
        preview_url: str | None = None,
        preview_title: str | None = None,
        preview_description: str | None = None,
        preview_image: str | None = None,
        story_timestamp: int | None = None,
        story_author: str | None = None,
        edit_timestamp: int | None = None,
    ) -> SendAnswer:
        """Send a message; with `edit_timestamp` in place of an earlier one.

        `attachment`, `preview_image`: paths, or data: URIs up to 15 MB. `mention`: `start:length:recipient`; `text_style`:
        `start:length:STYLE`, both in UTF-16 units. `sticker`: `packIdHex:index`. `no_urgent` needs 0.14.0, `voice_note` 0.14.2.
        """
        params: dict[str, Json] = {"account": account}
        # The hot path: most sends have a message and little else, so that this is cheaper than a filtered dict of everything.
        if recipient:
            params["recipient"] = recipient
        if group_id:
            params["groupId"] = group_id
        if username:
            params["username"] = username
        if message is not None:
            params["message"] = message
        if attachment:
            params["attachment"] = attachment
        if mention:
            params["mention"] = mention
        if text_style:
            params["textStyle"] = text_style
        if quote_timestamp is not None:
            params["quoteTimestamp"] = quote_timestamp
            _add(
                params,
                quoteAuthor=quote_author,
                quoteMessage=quote_message,
                quoteMention=quote_mention or None,
                quoteTextStyle=quote_text_style or None,
                quoteAttachment=quote_attachment or None,
            )
        if preview_url is not None:
            params["previewUrl"] = preview_url
            _add(params, previewTitle=preview_title, previewDescription=preview_description, previewImage=preview_image)
        if story_timestamp is not None:
            params["storyTimestamp"] = story_timestamp
            _add(params, storyAuthor=story_author)
        if sticker is not None:
            params["sticker"] = sticker
        if edit_timestamp is not None:
            params["editTimestamp"] = edit_timestamp
        if note_to_self:
            params["noteToSelf"] = True
        if notify_self:
            params["notifySelf"] = True
        if end_session:
            params["endSession"] = True
        if view_once:
            params["viewOnce"] = True
        if no_urgent:
            params["noUrgent"] = True
        if voice_note:
            params["voiceNote"] = True
        if no_urgent or voice_note:
            await self._check_version("send", params)
        return _decode("send", await self._ask_engine("send", params), _send)

    async def send_reaction(
        self,
        account: str,
        *,
        emoji: str,
        target_timestamp: int,
        target_author: str | None = None,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
        remove: bool = False,
        story: bool = False,
    ) -> SendAnswer:
        """React to a message, or take the reaction back. The author may be left out with exactly one recipient."""
        return await self._ask(
            "sendReaction",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            emoji=emoji,
            remove=remove or None,
            targetAuthor=target_author,
            targetTimestamp=target_timestamp,
            story=story or None,
        )

    async def send_receipt(
        self,
        account: str,
        *,
        recipient: str,
        target_timestamp: Sequence[int],
        type: Literal["read", "viewed"] | None = None,
    ) -> SendAnswer:
        """Tell the author that their messages were read (the default) or viewed."""
        return await self._ask("sendReceipt", _send, account=account, recipient=recipient, targetTimestamp=target_timestamp, type=type)

    async def send_typing(self, account: str, *, recipient: Strings = (), group_id: Strings = (), stop: bool = False) -> SendAnswer:
        """Show that something is being typed (for 15 s), or no longer."""
        return await self._ask(
            "sendTyping", _send, account=account, recipient=recipient or None, groupId=group_id or None, stop=stop or None
        )

    async def remote_delete(
        self,
        account: str,
        *,
        target_timestamp: int,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
    ) -> SendAnswer:
        """Delete an own message for everybody."""
        return await self._ask(
            "remoteDelete",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            targetTimestamp=target_timestamp,
        )

    async def send_admin_delete(
        self,
        account: str,
        *,
        group_id: Strings,
        target_author: str,
        target_timestamp: int,
        notify_self: bool = False,
        story: bool = False,
    ) -> SendAnswer:
        """Delete somebody else's message, as an admin of the group (0.14.0)."""
        return await self._ask(
            "sendAdminDelete",
            _send,
            account=account,
            groupId=group_id,
            targetAuthor=target_author,
            targetTimestamp=target_timestamp,
            notifySelf=notify_self or None,
            story=story or None,
        )

    async def send_pin_message(
        self,
        account: str,
        *,
        target_timestamp: int,
        target_author: str | None = None,
        pin_duration: int = -1,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
        story: bool = False,
    ) -> SendAnswer:
        """Pin a message for `pin_duration` seconds, -1 = for ever (0.14.0). The author may be left out with exactly one recipient."""
        return await self._ask(
            "sendPinMessage",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            pinDuration=pin_duration,
            targetAuthor=target_author,
            targetTimestamp=target_timestamp,
            story=story or None,
        )

    async def send_unpin_message(
        self,
        account: str,
        *,
        target_timestamp: int,
        target_author: str | None = None,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
        story: bool = False,
    ) -> SendAnswer:
        """Take a pin away (0.14.0). The author may be left out with exactly one recipient."""
        return await self._ask(
            "sendUnpinMessage",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            targetAuthor=target_author,
            targetTimestamp=target_timestamp,
            story=story or None,
        )

    async def send_poll_create(
        self,
        account: str,
        *,
        question: str,
        option: Strings,
        no_multi: bool = False,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """Ask a question with a choice of answers (0.13.22); `no_multi` allows one answer only."""
        return await self._ask(
            "sendPollCreate",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            question=question,
            option=option,
            noMulti=no_multi or None,
        )

    async def send_poll_vote(
        self,
        account: str,
        *,
        poll_author: str,
        poll_timestamp: int,
        option: Sequence[int],
        vote_count: int,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """Vote (0.13.22): `option` counts from 0, none takes the vote back; `vote_count` is 1 for the first vote and grows."""
        return await self._ask(
            "sendPollVote",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            pollAuthor=poll_author,
            pollTimestamp=poll_timestamp,
            option=option,
            voteCount=vote_count,
        )

    async def send_poll_terminate(
        self,
        account: str,
        *,
        poll_timestamp: int,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """End an own poll (0.13.22)."""
        return await self._ask(
            "sendPollTerminate",
            _send,
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            noteToSelf=note_to_self or None,
            notifySelf=notify_self or None,
            pollTimestamp=poll_timestamp,
        )

    async def send_story(self, account: str, *, attachment: str, no_replies: bool = False, group_id: str | None = None) -> SendAnswer:
        """Tell a story (0.14.6) to all contacts, or to a group. `attachment`: path of a picture or video."""
        return await self._ask("sendStory", _send, account=account, attachment=attachment, noReplies=no_replies or None, groupId=group_id)

    async def send_payment_notification(self, account: str, *, recipient: str, receipt: str, note: str | None = None) -> SendAnswer:
        """Tell of a payment; `receipt` is base64."""
        return await self._ask("sendPaymentNotification", _send, account=account, recipient=recipient, receipt=receipt, note=note)

    async def send_message_request_response(
        self,
        account: str,
        *,
        type: Literal["accept", "delete"],
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
    ) -> None:
        """Accept or delete the request of somebody new."""
        await self._do(
            "sendMessageRequestResponse",
            account=account,
            recipient=recipient or None,
            groupId=group_id or None,
            username=username or None,
            type=type,
        )

    async def receive(self, account: str, *, timeout: float | None = None, max_messages: int | None = None) -> list[msgspec.Raw]:
        """Fetch envelopes once, as JSON bytes of `{"envelope", "account"}`; refused while there is a subscription.

        `timeout` in seconds. Unreliable before 0.13.22: subscribe instead.
        """
        return await self._ask("receive", _frames, account=account, timeout=timeout, maxMessages=max_messages)

    async def subscribe_receive(self, account: str | None = None) -> int:
        """Report envelopes of the account (`None`: of all that are loaded now) on this connection; gives the subscription's id."""
        return await self._ask("subscribeReceive", _subscription, account=account)

    async def unsubscribe_receive(self, *, subscription: int) -> None:
        """Report no more."""
        await self._do("unsubscribeReceive", subscription=subscription)

    # -- groups

    async def list_groups(self, account: str, *, group_id: Strings = ()) -> list[Group]:
        """The groups, all or those named; also those that the account has left."""
        return await self._ask("listGroups", _groups, account=account, groupId=group_id or None)

    async def update_group(
        self,
        account: str,
        *,
        group_id: str | None = None,
        name: str | None = None,
        description: str | None = None,
        avatar: str | None = None,
        member: Strings = (),
        remove_member: Strings = (),
        admin: Strings = (),
        remove_admin: Strings = (),
        ban: Strings = (),
        unban: Strings = (),
        reset_link: bool = False,
        link: GroupLinkState | None = None,
        set_permission_add_member: GroupPermission | None = None,
        set_permission_edit_details: GroupPermission | None = None,
        set_permission_send_messages: GroupPermission | None = None,
        expiration: int | None = None,
        member_label: str | None = None,
        member_label_emoji: str | None = None,
    ) -> GroupAnswer:
        """Change a group, or create one when `group_id` is left out.

        `avatar` is a path, `expiration` in seconds (0 = never). The labels are the account's own in that group (0.14.1).
        """
        return await self._ask(
            "updateGroup",
            _group_answer,
            account=account,
            groupId=group_id,
            name=name,
            description=description,
            avatar=avatar,
            member=member or None,
            removeMember=remove_member or None,
            admin=admin or None,
            removeAdmin=remove_admin or None,
            ban=ban or None,
            unban=unban or None,
            resetLink=reset_link or None,
            link=link,
            setPermissionAddMember=set_permission_add_member,
            setPermissionEditDetails=set_permission_edit_details,
            setPermissionSendMessages=set_permission_send_messages,
            expiration=expiration,
            memberLabel=member_label,
            memberLabelEmoji=member_label_emoji,
        )

    async def join_group(self, account: str, *, uri: str) -> GroupAnswer:
        """Join by invitation link, or ask to be let in."""
        return await self._ask("joinGroup", _group_answer, account=account, uri=uri)

    async def quit_group(self, account: str, *, group_id: str, admin: Strings = (), delete: bool = False) -> SendAnswer:
        """Leave, and forget the group with `delete`. The last admin has to name new ones in `admin`."""
        return await self._ask("quitGroup", _send, account=account, groupId=group_id, admin=admin or None, delete=delete or None)

    # -- people

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

    # -- files

    async def get_attachment(self, account: str, *, id: str) -> Data:
        """A received attachment. The id is a file name: check it before, 0.13.19 follows `../`."""
        return await self._ask("getAttachment", _data, account=account, id=id)

    async def get_avatar(
        self, account: str, *, contact: str | None = None, profile: str | None = None, group_id: str | None = None
    ) -> Data:
        """The picture of a contact (as saved), of a profile, or of a group: name one of them."""
        return await self._ask("getAvatar", _data, account=account, contact=contact, profile=profile, groupId=group_id)

    async def get_sticker(self, account: str, *, pack_id: str, sticker_id: int) -> Data:
        """One picture of a sticker pack (`pack_id` in hex)."""
        return await self._ask("getSticker", _data, account=account, packId=pack_id, stickerId=sticker_id)

    async def list_sticker_packs(self, account: str) -> list[StickerPack]:
        """The sticker packs that are known."""
        return await self._ask("listStickerPacks", _packs, account=account)

    async def add_sticker_pack(self, account: str, *, uri: Strings) -> None:
        """Install packs by their `https://signal.art/addstickers/#pack_id=…` links."""
        await self._do("addStickerPack", account=account, uri=uri)

    async def upload_sticker_pack(self, account: str, *, path: str) -> Uploaded:
        """Publish a pack: path of a manifest.json or a zip file that holds one."""
        return await self._ask("uploadStickerPack", _uploaded, account=account, path=path)

    # -- the account itself

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

    async def start_link(self) -> str:
        """Begin to link this device to a phone; gives the uri for the QR code."""
        return (await self._ask("startLink", _link)).device_link_uri

    async def finish_link(self, *, device_link_uri: str, device_name: str | None = None) -> str | None:
        """Wait until the phone has scanned the code (about 100 s at most); gives the account's number."""
        return (await self._ask("finishLink", _number, deviceLinkUri=device_link_uri, deviceName=device_name)).number

    async def list_devices(self, account: str) -> list[Device]:
        """The account's devices."""
        return await self._ask("listDevices", _devices, account=account)

    async def add_device(self, account: str, *, uri: str) -> None:
        """Link another device, by the `sgnl://linkdevice?…` uri that it shows."""
        await self._do("addDevice", account=account, uri=uri)

    async def remove_device(self, account: str, *, device_id: int) -> None:
        """Unlink a device."""
        await self._do("removeDevice", account=account, deviceId=device_id)

    async def update_device(self, account: str, *, device_id: int, device_name: str) -> None:
        """Rename a device (0.13.23)."""
        await self._do("updateDevice", account=account, deviceId=device_id, deviceName=device_name)

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

    # -- calls

    async def start_call(self, account: str, *, recipient: Strings) -> Call:
        """Call somebody (0.14.2)."""
        return await self._ask("startCall", _call, account=account, recipient=recipient)

    async def accept_call(self, account: str, *, call_id: int) -> Call:
        """Answer the phone (0.14.2)."""
        return await self._ask("acceptCall", _call, account=account, callId=call_id)

    async def reject_call(self, account: str, *, call_id: int) -> None:
        """Do not answer (0.14.2)."""
        await self._do("rejectCall", account=account, callId=call_id)

    async def hangup_call(self, account: str, *, call_id: int) -> None:
        """End the call (0.14.2)."""
        await self._do("hangupCall", account=account, callId=call_id)

    async def list_calls(self, account: str) -> list[Call]:
        """Calls that ring or run (0.14.2)."""
        return await self._ask("listCalls", _calls, account=account)

    async def subscribe_call_events(self, account: str | None = None) -> int:
        """Report calls on this connection (0.14.2); gives the subscription's id."""
        return await self._ask("subscribeCallEvents", _subscription, account=account)

    async def unsubscribe_call_events(self, *, subscription: int) -> None:
        """Report calls no more (0.14.2)."""
        await self._do("unsubscribeCallEvents", subscription=subscription)

    # -- the program

    async def version(self) -> str:
        """Version of the running signal-cli."""
        return (await self._ask("version", _version)).version

    # -- how

    async def _ask[T](self, method: str, decoder: msgspec.json.Decoder[T], **given: Json) -> T:
        return _decode(method, await self._call(method, given), decoder)

    async def _do(self, method: str, **given: Json) -> None:
        await self._call(method, given)

    async def _call(self, method: str, given: Mapping[str, Json]) -> msgspec.Raw:
        params = {name: value for name, value in given.items() if value is not None}
        if method in versions.METHODS or method in versions.PARAMETERS:
            await self._check_version(method, params)
        try:
            return await self._ask_engine(method, params)
        except Unsupported as refusal:
            if since := versions.METHODS.get(method):
                raise needs_version(method, since, self._engine.status.version) from refusal
            raise Unsupported(
                f"This signal-cli daemon does not offer {method}: it may serve one account only, or be another program", code=refusal.code
            ) from refusal

    async def _ask_engine(self, method: str, params: Mapping[str, Json]) -> msgspec.Raw:
        try:
            return await self._engine.call(method, params)
        except AccountUnknown as refusal:  # signal-cli says the same of an account that its phone has removed
            account = params.get("account")
            if isinstance(account, str) and self._engine.status.accounts.get(account) is AccountState.UNLINKED:
                raise AccountUnlinked(refusal.message, code=refusal.code, response=refusal.response) from refusal
            raise

    async def _check_version(self, method: str, params: Mapping[str, Json]) -> None:
        """Raise `Unsupported` for what the running version lacks; old ones would ignore an unknown parameter without a word."""
        needs = [(method, since)] if (since := versions.METHODS.get(method)) else []
        later = versions.PARAMETERS.get(method, {})
        needs += [(f"{name} of {method}", later[name]) for name in params if name in later]
        if not needs:
            return
        running = self._engine.status.version or await self.version()
        for what, needed in needs:
            if versions.is_older(running, needed):
                raise needs_version(what, needed, running)


def _add(params: dict[str, Json], **given: Json) -> None:
    params.update({name: value for name, value in given.items() if value is not None})


def _decode[T](method: str, answer: msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(answer)
    except msgspec.MsgspecError as error:
        with contextlib.suppress(msgspec.MsgspecError):
            return _convert_without_nulls(answer, decoder.type)
        raise EngineFault(f"signal-cli answered {method} in a form that nobody knows: {error}") from error


def _convert_without_nulls[T](answer: msgspec.Raw, type_: type[T]) -> T:
    """Read an answer as if what is null had been left out: what was done is not to look undone for want of a list of results."""
    given = _without_nulls(msgspec.json.decode(answer))
    if given is None:
        given = [] if typing.get_origin(type_) is list else {}
    return msgspec.convert(given, type_)


def _without_nulls(given: object) -> object:
    if isinstance(given, dict):
        return {key: _without_nulls(value) for key, value in given.items() if value is not None}
    return [_without_nulls(value) for value in given if value is not None] if isinstance(given, list) else given
