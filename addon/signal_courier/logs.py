"""Logging: one line an event, the level as upstream names it, changeable while running."""

import logging
import sys
from typing import Literal

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def set_up_logging(level: str) -> None:
    """Log to stderr, one line an event."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    set_level(level)


def set_level(level: str) -> None:
    """Change how much is logged: `debug`, `info`, `warn` or `error`."""
    logging.getLogger().setLevel(max(LEVELS[level], logging.INFO))
    logging.getLogger("signal_courier").setLevel(LEVELS[level])


def current_level() -> Literal["debug", "info", "warn", ""]:
    """The level now, in upstream's words: empty at `error`."""
    level = logging.getLogger("signal_courier").getEffectiveLevel()
    if level <= logging.DEBUG:
        return "debug"
    if level <= logging.INFO:
        return "info"
    if level <= logging.WARNING:
        return "warn"
    return ""
