"""Signal knows no titles: they become the first line of the text, in bold."""

from collections.abc import Mapping, Sequence


def with_title(text: str, title: str | None) -> tuple[str, Sequence[Mapping[str, object]]]:
    """The whole text, and its styles (positions in UTF-16 units, as Signal counts them)."""
    if not title:
        return text, ()
    style = {"start": 0, "length": utf16_length(title), "style": "BOLD"}
    return (f"{title}\n{text}" if text else title), (style,)


def utf16_length(text: str) -> int:
    """How long Signal thinks that a text is."""
    return len(text.encode("utf-16-le")) // 2
