"""Puts new contents in the place of old ones, in several folders: what ends the program half-way, the next one finishes.

First a plan is written beside the new contents. Then everything old goes aside, and that is noted; then everything new takes its place.
Each step can be taken again, so that it makes no difference where it was interrupted.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

_PLAN: Final = "plan.json"
_PART: Final = ".arriving"
"""Ends the name of what is still being copied from another disk."""


class Swap(msgspec.Struct):
    """One folder that gets new contents; it stays itself, as it may be a mount."""

    new: str
    """Folder of the new contents, beside the plan."""
    place: str
    old: list[str]
    """Names in the place that have to go."""
    aside: str | None
    """Where they go; `None` = nobody needs them any more."""


class _Plan(msgspec.Struct):
    swaps: list[Swap]
    cleared: bool = False
    """Whether everything old is out of the way."""


def swap(folder: Path, swaps: Sequence[Swap]) -> None:
    """Put what lies in `folder` in its places, and remove `folder`. Raises `OSError`; `finish` goes on from there."""
    _write(folder, _Plan(list(swaps)))
    finish(folder)


def finish(folder: Path) -> bool:
    """Finish what was begun in `folder`; whether there was anything. What is no whole plan changed nothing yet. Raises `OSError`."""
    try:
        plan = msgspec.json.decode((folder / _PLAN).read_bytes(), type=_Plan)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return False
    if not plan.cleared:
        for one in plan.swaps:
            _clear(one)
        plan.cleared = True
        _write(folder, plan)
    for one in plan.swaps:
        _fill(folder / one.new, Path(one.place))
    shutil.rmtree(folder, ignore_errors=True)
    return True


def is_begun(folder: Path) -> bool:
    """Whether there is something to finish."""
    return (folder / _PLAN).exists()


def _write(folder: Path, plan: _Plan) -> None:
    draft = folder / f"{_PLAN}.new"
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(plan))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _PLAN)


def _clear(one: Swap) -> None:
    place = Path(one.place)
    for old in (place / name for name in one.old):
        if not os.path.lexists(old):  # gone before an interruption
            continue
        if one.aside is not None:
            aside = Path(one.aside)
            aside.mkdir(exist_ok=True, mode=0o700)
            old.rename(aside / old.name)
        else:
            _remove(old)


def _fill(new: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for child in sorted(new.iterdir()) if new.is_dir() else ():
        target = place / child.name
        if os.path.lexists(target):  # it came whole before an interruption, which left this copy
            _remove(child)
            continue
        part = place / f".{child.name}{_PART}"
        if os.path.lexists(part):
            _remove(part)
        try:
            child.rename(target)
        except OSError:  # another disk: copied under another name, so that it is there whole or not at all
            if child.is_dir():
                shutil.copytree(child, part, symlinks=True)
            else:
                shutil.copy2(child, part)
            part.rename(target)
            _remove(child)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
