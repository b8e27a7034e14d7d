"""Commands that send: messages, and what is sent about them."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.base import Json
from signal_courier.engine.commands.asking import Asking, Strings, decode, to

_send = msgspec.json.Decoder(SendAnswer)


class MessageCommands(Asking):
    """What is sent to people, groups and oneself."""

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
        return decode("send", await self._ask_engine("send", params), _send)

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
            **to(recipient, group_id, username, note_to_self, notify_self),
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
            **to(recipient, group_id, username, note_to_self),
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
            **to(recipient, group_id, username, note_to_self, notify_self),
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
            **to(recipient, group_id, username, note_to_self, notify_self),
            targetAuthor=target_author,
            targetTimestamp=target_timestamp,
            story=story or None,
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
            **to(recipient, group_id, username),
            type=type,
        )


def _add(params: dict[str, Json], **given: Json) -> None:
    params.update({name: value for name, value in given.items() if value is not None})
