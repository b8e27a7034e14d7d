"""The pages as the tests read them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), ROOT / "addon" / "DOCS.md", ROOT / "addon" / "README.md"]
)
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One example."""

    page: Path
    line: int
    language: str
    text: str


def name_of(page: Path) -> str:
    """The page as people call it: its path from the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str | None = None) -> Iterator[Block]:
    """The examples of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        if language in (None, found["language"]):
            lines = [line.removeprefix(found["indent"]) for line in found["text"].splitlines()]
            yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"], "\n".join(lines) + "\n")


def prose(page: Path) -> str:
    """What is said around the examples."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(block: Block) -> Iterator[str]:
    """The commands of a shell block, each with its continued lines."""
    command = ""
    for line in block.text.splitlines():
        command += line + "\n"
        if line.endswith("\\") or not _is_whole(command):
            continue
        if shlex.split(command, comments=True):
            yield command.strip()
        command = ""
    assert not command, f"{name_of(block.page)}, line {block.line}: the last command does not end"


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:  # a quote is still open
        return False
    return True
