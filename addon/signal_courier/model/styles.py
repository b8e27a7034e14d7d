"""Styled text: markup in a message becomes ranges, in the way clients of the REST contract write it.

`*italic*`, `**bold**`, `***both***`, `~struck~` (or `~~struck~~`), `||spoiler||`, `` `code` ``; a backslash makes a run of markers text.
Ranges are what signal-cli's `textStyle` takes: `start:length:STYLE` in UTF-16 units of the cleaned text.

A marker counts only where it can be meant: it opens before text and closes after text, never between two letters or digits, never in a
web address, never in code; one without its partner stays in the text. Styles may overlap without nesting, as Signal allows.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal

Style = Literal["BOLD", "ITALIC", "MONOSPACE", "SPOILER", "STRIKETHROUGH"]

_STYLES: Final[dict[str, Style]] = {"*": "ITALIC", "**": "BOLD", "~": "STRIKETHROUGH", "~~": "STRIKETHROUGH", "||": "SPOILER"}
_ANY_MARKUP: Final = re.compile(r"[*~|`]")
_TOKEN: Final = re.compile(
    r"""
    (?P<escape>\\+(?:\*+|~+|\|+|`+))                                        # backslashes and the run they stand before
    | (?P<address>(?:://|\bwww\.|[A-Za-z0-9]\.[A-Za-z0-9]{1,24}(?::[0-9]{1,5})?/)  # from here on, a web address
        (?:[^\s`|<>"\\]|\\(?![`|]))++)
    | (?P<run>\*+|~+|\|{2,}|`+)
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"(\\+)(\*+|~+|\|+|`+)")
_TRAILING: Final = "*~.,;:!?)]}'"  # what ends a sentence or a style rather than an address

# Scripts written without spaces, or (Hangul) with endings glued to a word: there a marker between letters is meant as one.
_SPACELESS: Final = (
    (0x0E00, 0x0F00), (0x1000, 0x1200), (0x1780, 0x1800), (0x2E80, 0xA000), (0xA960, 0xA980), (0xAC00, 0xD800), (0xF900, 0xFB00),
    (0xFF66, 0xFFDD), (0x1B000, 0x1B170), (0x20000, 0x40000),
)  # fmt: skip
_SPACELESS_STARTS: Final = [start for start, _ in _SPACELESS]


@dataclass(frozen=True, slots=True)
class StyledText:
    """A message without its markup, and `start:length:STYLE` for each styled range, in the order in which the ranges close."""

    text: str
    styles: list[str]


def parse_styled(text: str) -> StyledText:
    """Take the markup out of a text. Never fails; takes time in proportion to the text's length."""
    if not _ANY_MARKUP.search(text):
        return StyledText(text, [])
    return _Parser(text).parse()


@dataclass(slots=True)
class _Run:
    """A run of one marker character that may open or close something, or a stretch of code."""

    marker: str
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class _Opener:
    """A marker that waits for its partner: its piece of the output, and how many visible pieces were before it."""

    piece: int
    visible: int


@dataclass(slots=True)
class _Parser:
    source: str
    pieces: list[str] = field(default_factory=list)
    visible: int = 0  # pieces so far that show something
    ranges: list[tuple[int, int, Style]] = field(default_factory=list)  # opening piece, closing piece
    open: dict[str, list[_Opener]] = field(default_factory=lambda: {marker: [] for marker in _STYLES})

    def parse(self) -> StyledText:
        position = 0
        for token in self._tokens():
            if isinstance(token, _Run):
                self._text(self.source[position : token.start])
                if token.marker == "`":
                    self._code(token)
                else:
                    self._run(token)
                position = token.end
            else:
                start, end, plain = token
                self._text(self.source[position:start])
                self._text(plain)
                position = end
        self._text(self.source[position:])
        return self._assemble()

    def _tokens(self) -> Iterator[_Run | tuple[int, int, str]]:
        """What is not plain text, in order: runs of markers, whole stretches of code, and (start, end, text) of what is text after all."""
        found = list(self._scan())
        ticks = [token.length if isinstance(token, _Run) and token.marker == "`" else 0 for token in found]
        longest_after = list(accumulate(reversed(ticks), max))[::-1]
        index = 0
        while index < len(found):
            token = found[index]
            size = ticks[index]
            index += 1
            if not size:
                yield token
            elif index < len(found) and longest_after[index] >= size:
                while ticks[index] < size:
                    index += 1
                closing = found[index]
                assert isinstance(token, _Run)
                assert isinstance(closing, _Run)
                yield _Run("`", token.start, closing.start + size)
                closing.start += size
                ticks[index] -= size
                if not ticks[index]:
                    index += 1
            else:
                assert isinstance(token, _Run)
                yield token.start, token.end, self.source[token.start : token.end]

    def _scan(self) -> Iterator[_Run | tuple[int, int, str]]:
        source = self.source
        position = 0
        while match := _TOKEN.search(source, position):
            start, position = match.span()
            if match["run"]:
                yield _Run(source[start], start, position)
            elif match["escape"]:
                marker = source[position - 1]
                run = position - start - match["escape"].count("\\")
                backslashes = position - start - run
                if backslashes % 2:
                    yield start, position, "\\" * (backslashes // 2) + marker * run
                else:  # an escaped backslash, and markers that count
                    position -= run
                    yield start, position, "\\" * (backslashes // 2)
            else:
                address = source[start:position].rstrip(_TRAILING)
                if address and not address.endswith("\\"):
                    position = start + len(address)
                yield start, position, unescape(source[start:position])

    def _text(self, plain: str) -> None:
        if plain:
            self.pieces.append(plain)
            self.visible += not plain.isspace()

    def _code(self, run: _Run) -> None:
        stretch = self.source[run.start : run.end]
        if not stretch.strip("`"):  # a run without partner
            self._text(stretch)
            return
        size = len(stretch) - len(stretch.lstrip("`"))
        self.pieces += ("", unescape(stretch[size:-size]), "")
        self.visible += 1
        self.ranges.append((len(self.pieces) - 3, len(self.pieces) - 1, "MONOSPACE"))

    def _run(self, run: _Run) -> None:
        before = self.source[run.start - 1] if run.start else "\n"
        after = self.source[run.end] if run.end < len(self.source) else "\n"
        if _in_word(self.source, run.start - 1) and _in_word(self.source, run.end):
            self._within_word(run, before + after)
            return
        alone = before.isspace() and after.isspace()
        opens = not after.isspace() or (alone and run.length > 1 and before in "\r\n")
        closes = not before.isspace() or (alone and run.length > 1 and after in "\r\n")
        left = run.length
        if closes:
            left = self._close(run, left)
        if left and opens:
            left = self._open(run, left)
        self._text(run.marker * left)

    def _within_word(self, run: _Run, neighbours: str) -> None:
        """Between letters a run is text, unless it ends one style and begins the same again: `*a**b*`."""
        half = run.marker * (run.length // 2)
        adjacent = run.length % 2 == 0 and not neighbours.isdigit() and self._top(half)
        if adjacent:
            self._close(run, run.length // 2)
            self._open(run, run.length // 2)
        else:
            self._text(run.marker * run.length)

    def _top(self, marker: str) -> _Opener | None:
        """The latest opener of this marker with something visible behind it."""
        openers = self.open.get(marker)
        return openers[-1] if openers and openers[-1].visible < self.visible else None

    def _close(self, run: _Run, left: int) -> int:
        """End what is open, the latest first, with `left` marker characters; gives how many were not used."""
        while marker := self._closable(run.marker, left):
            opener = self.open[marker].pop()
            self.pieces[opener.piece] = ""
            self.ranges.append((opener.piece, len(self.pieces), _STYLES[marker]))
            self.pieces.append("")
            left -= len(marker)
        return left

    def _closable(self, character: str, left: int) -> str | None:
        exact = character * left
        if 0 < left <= 2 and self._top(exact):
            return exact
        fitting = [marker for marker in (character, character * 2) if len(marker) <= left and self._top(marker)]
        return max(fitting, key=lambda marker: self.open[marker][-1].piece, default=None)

    def _open(self, run: _Run, left: int) -> int:
        """Begin styles with `left` marker characters; gives how many were not used."""
        markers: list[str] = []
        match run.marker:
            case "*":
                markers = ["*"] * (left % 2) + ["**"] * (left // 2)
            case "|":
                markers = ["||"] * (left // 2)
            case "~" if left <= 2:
                markers = ["~" * left]
        for marker in markers:
            self.open[marker].append(_Opener(len(self.pieces), self.visible))
            self.pieces.append(marker)
            left -= len(marker)
        return left

    def _assemble(self) -> StyledText:
        offsets = [0, *accumulate(map(_units, self.pieces))]
        styles = dict.fromkeys(
            f"{offsets[start]}:{offsets[end] - offsets[start]}:{style}"
            for start, end, style in self.ranges
            if offsets[end] > offsets[start]
        )
        return StyledText("".join(self.pieces), list(styles))


def unescape(text: str) -> str:
    """Take away the backslashes that keep markers from being markers."""
    return _ESCAPE.sub(lambda match: "\\" * (len(match[1]) // 2) + match[2], text) if "\\" in text else text


def _units(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _in_word(text: str, index: int) -> bool:
    """Whether the character is a letter or digit (or an accent on one) of a script that puts spaces between words."""
    if not 0 <= index < len(text):
        return False
    character = text[index]
    if character.isascii():
        return character.isalnum()
    code = ord(character)
    block = bisect_right(_SPACELESS_STARTS, code) - 1
    if block >= 0 and code < _SPACELESS[block][1]:
        return False
    if character.isalnum():
        return True
    # accents and vowel signs, but not what only chooses a picture: variation selectors, the keycap
    return unicodedata.category(character) in {"Mn", "Mc"} and not 0xFE00 <= code <= 0xFE0F and code != 0x20E3
