"""Texts of Assist over Signal: its own words in the chat's language, and answers in the form that Signal shows."""

import re
from collections.abc import Iterator
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from ..const import DOMAIN

LONGEST: Final = 1900
"""Characters of one message; Signal shows longer ones only after a touch."""
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\((https?://[^)\s]+)\)")
_MARKS: Final = re.compile(r"[*_`#~]+")
_BULLET: Final = re.compile(r"^([ \t]*)\*[ \t]+", re.MULTILINE)


async def async_text(hass: HomeAssistant, language: str, key: str, **placeholders: str) -> str:
    """A text of the integration in a language; English where it has none in that."""
    name = f"component.{DOMAIN}.exceptions.{key}.message"
    found = (await async_get_translations(hass, language, "exceptions", [DOMAIN])).get(name)
    if found is None:
        found = (await async_get_translations(hass, "en", "exceptions", [DOMAIN])).get(name, key)
    return found.format(**placeholders)


def markdown_as_styles(text: str) -> str:
    """What language models write, in the marks that the service makes styles of: headings, links, bullets; bold stays as it is."""
    text = _HEADING.sub(lambda found: f"**{found[1].strip('* ')}**", text)
    text = _LINK.sub(r"\1 (\2)", text)
    return _BULLET.sub(r"\1• ", text)


def spoken(text: str) -> str:
    """A text without what cannot be spoken."""
    return _MARKS.sub("", _LINK.sub(r"\1", text)).strip()


def pieces(text: str) -> Iterator[str]:
    """A long text in parts of `LONGEST` characters at most, cut between paragraphs, lines, sentences or words."""
    while len(text) > LONGEST:
        head = text[:LONGEST]
        cut = next((place + len(mark) for mark in ("\n\n", "\n", ". ", " ") if (place := head.rfind(mark)) > LONGEST // 3), LONGEST)
        yield text[:cut].strip()
        text = text[cut:].lstrip()
    if text:
        yield text
