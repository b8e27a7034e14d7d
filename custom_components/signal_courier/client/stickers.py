"""Sticker packs."""

from .models import StickerPack
from .transport import Transport, read_all


class Stickers:
    """`/api/v2/stickers`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def packs(self) -> list[StickerPack]:
        """The packs that the account knows."""
        answer = await self._transport.call("GET", "/api/v2/stickers", query={"account": self._transport.account})
        return read_all(StickerPack, answer, "packs")

    async def install(self, link: str) -> None:
        """Install a pack by its link."""
        await self._transport.call("POST", "/api/v2/stickers", {"link": link, **self._transport.whose()})
