"""Sticker packs: listed, installed, uploaded."""

import base64
import re
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from signal_courier.engine.base import Json
from signal_courier.engine.simulator.dispatch import Integer, NoParams, single
from signal_courier.engine.simulator.network import Network
from signal_courier.engine.simulator.refusals import IO_ERROR, Refusal, user_error
from signal_courier.engine.simulator.state import Account, Pack, Sticker

_LINK = re.compile(r"(?:https://signal\.art/addstickers/|sgnl://addstickers/?)[#?]pack_id=([0-9a-f]+)&pack_key=([0-9a-f]+)")


class AddStickerPack(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `addStickerPack`."""

    uri: list[str]


class UploadStickerPack(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `uploadStickerPack`: a manifest.json, or a ZIP file with one."""

    path: str


class GetSticker(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of `getSticker`."""

    pack_id: str
    sticker_id: Integer


class _ManifestSticker(msgspec.Struct):
    file: str | None = None
    emoji: str = ""
    contentType: str | None = None  # noqa: N815  # the file format's own name


class _Manifest(msgspec.Struct):
    title: str | None = None
    author: str | None = None
    stickers: list[_ManifestSticker] | None = None


@single("listStickerPacks", NoParams)
def list_packs(network: Network, account: Account, _params: NoParams) -> Json:
    """The packs that the account knows."""
    return [_json(pack, installed=pack.id in account.packs) for pack in network.world.packs.values() if pack.id in account.packs]


@single("addStickerPack", AddStickerPack)
def add_pack(network: Network, account: Account, params: AddStickerPack) -> Json:
    """Install packs."""
    for uri in params.uri:
        found = _LINK.fullmatch(uri)
        if found is None:
            raise user_error("Invalid sticker pack link")
        pack = network.world.packs.setdefault(found[1], Pack(id=found[1], key=found[2]))
        account.packs.add(pack.id)
    network.changed()
    return {}


@single("uploadStickerPack", UploadStickerPack)
def upload_pack(network: Network, account: Account, params: UploadStickerPack) -> Json:
    """Put a new pack on Signal's server."""
    path = Path(params.path)
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                pack = _read(archive.read, archive.namelist())
        else:
            folder = path.parent
            pack = _read(lambda name: (folder / name).read_bytes(), [file.name for file in folder.iterdir()])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Refusal(IO_ERROR, f"Upload error (maybe image size too large):{error}") from error
    network.world.packs[pack.id] = pack
    account.packs.add(pack.id)
    network.changed()
    return {"url": pack.url}


@single("getSticker", GetSticker)
def get_sticker(network: Network, account: Account, params: GetSticker) -> Json:
    """One sticker's picture."""
    pack = network.world.packs.get(params.pack_id.lower())
    if pack is not None and pack.id in account.packs:
        for sticker in pack.stickers:
            if sticker.id == params.sticker_id:
                return {"data": base64.b64encode(sticker.data).decode()}
    raise user_error(f"Could not find sticker with ID: {params.sticker_id} in pack StickerPackId{{{params.pack_id}}}")


def _read(content: Callable[[str], bytes], names: list[str]) -> Pack:
    if "manifest.json" not in names:
        raise user_error("Invalid sticker pack: Could not find manifest.json")
    try:
        manifest = msgspec.json.decode(content("manifest.json"), type=_Manifest)
    except msgspec.MsgspecError as error:
        raise Refusal(IO_ERROR, f"Upload error (maybe image size too large):{error}") from error
    if manifest.stickers is None:
        raise user_error("Invalid sticker pack: Must set a 'stickers' field.")
    if not manifest.stickers:
        raise user_error("Invalid sticker pack: Must include stickers.")
    stickers: list[Sticker] = []
    for number, entry in enumerate(manifest.stickers):
        if entry.file is None:
            raise user_error("Invalid sticker pack: Must set a 'file' field on each sticker.")
        if entry.file not in names:
            raise user_error(f"Invalid sticker pack: Could not find find {entry.file}")
        stickers.append(Sticker(id=number, emoji=entry.emoji, content_type=entry.contentType, data=content(entry.file)))
    return Pack(id=secrets.token_hex(16), key=secrets.token_hex(32), title=manifest.title, author=manifest.author, stickers=stickers)


def _json(pack: Pack, *, installed: bool) -> dict[str, Json]:
    stickers: list[dict[str, Json]] = [
        {"id": sticker.id, "emoji": sticker.emoji, "contentType": sticker.content_type} for sticker in pack.stickers
    ]
    return {
        "packId": pack.id,
        "url": pack.url,
        "installed": installed,
        "title": pack.title,
        "author": pack.author,
        "cover": stickers[0] if stickers else None,
        "stickers": stickers,
    }
