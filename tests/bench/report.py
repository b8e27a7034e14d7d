"""Tables: medians, ratios to the bare server, and what is to be reached."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.candidates import BARE, BARE_ALONE, COURIER, MORPH027, PLAIN, UNNOTED, WITH_TOKEN

type Figures = dict[str, float]
type Results = dict[str, dict[str, Figures]]
"""By scenario, then by server."""

_SERVERS = (COURIER, WITH_TOKEN, UNNOTED, PLAIN, BARE, BARE_ALONE, MORPH027)


def median(rounds: Sequence[Figures]) -> Figures:
    """Of every figure, over the rounds."""
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def table(name: str, results: Mapping[str, Figures]) -> None:
    """Print what one scenario showed."""
    keys = list(next(iter(results.values())))
    print(f"\n{name:<32}" + "".join(f"{key.replace('_', ' '):>14}" for key in keys))
    for server in _SERVERS:
        if server in results:
            print(f"  {server:<30}" + "".join(f"{results[server][key]:14,.2f}" for key in keys))
    mine, floor = results.get(COURIER), results.get(BARE)
    if mine and floor:
        print(f"  {'ratio to the bare server':<30}" + "".join(_ratio(mine[key], floor[key]) for key in keys), flush=True)


def _ratio(mine: float, floor: float) -> str:
    return f"{mine / floor:13.2f}×" if floor else f"{'':14}"


@dataclass(frozen=True)
class Target:
    """A figure that is to stay below (or, `above`, over) a limit."""

    name: str
    scenario: str
    key: str
    limit: float
    unit: str = ""
    above: bool = False
    server: str = COURIER
    over: str | None = None
    """The server whose figure it is divided by."""

    def of(self, results: Results) -> float | None:
        """The figure; `None` where it was not measured."""
        try:
            figure = results[self.scenario][self.server][self.key]
            return figure / results[self.scenario][self.over][self.key] if self.over else figure
        except (KeyError, ZeroDivisionError):
            return None


def summary(targets: Sequence[Target], results: Results) -> None:
    """Print what is to be reached and what was."""
    print(f"\n{'to be reached':<62}{'measured':>14}{'limit':>14}")
    for target in targets:
        if (figure := target.of(results)) is not None:
            reached = figure > target.limit if target.above else figure < target.limit
            limit = f"{'>' if target.above else '<'} {target.limit:,g}"
            print(f"  {target.name:<60}{figure:14,.2f}{limit:>14} {target.unit:<9}{'' if reached else 'NOT reached'}", flush=True)
