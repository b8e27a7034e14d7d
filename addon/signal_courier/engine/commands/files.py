"""Commands about files that signal-cli keeps: attachments, pictures, stickers."""

import msgspec

from signal_courier.engine.answers import Data, StickerPack, Uploaded
from signal_courier.engine.commands.asking import Asking, Strings

_packs = msgspec.json.Decoder(list[StickerPack])
_data = msgspec.json.Decoder(Data)
_uploaded = msgspec.json.Decoder(Uploaded)


class FileCommands(Asking):
    """What signal-cli has of pictures and other files."""

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
