"""Failed attempts, slowed by address."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 10
"""Wrong tokens that an address may try in a row."""
REFILL = 6.0
"""Seconds after which it may try one more."""
_ADDRESSES = 4096
"""Addresses that are remembered; the one that failed longest ago makes room."""


class Throttle:
    """Counts failed attempts. To an address that has tried too often nothing is looked up any more until time has passed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._debts: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By address: how many failures count, and when that was true."""

    def wait(self, address: str | None) -> int:
        """Seconds until an address may try again, 0 = now."""
        if not self._debts:
            return 0
        debt = self._debt(self._debts.get(group_of(address)))
        return 0 if debt <= BURST - 1 else max(1, round((debt - BURST + 1) * REFILL))

    def failed(self, address: str | None) -> int:
        """Count a failure; gives how many count now."""
        group = group_of(address)
        debt = self._debt(self._debts.pop(group, None)) + 1
        self._debts[group] = debt, self._clock()
        if len(self._debts) > _ADDRESSES:
            self._debts.popitem(last=False)
        return int(debt)

    def __len__(self) -> int:
        return len(self._debts)

    def _debt(self, known: tuple[float, float] | None) -> float:
        if known is None:
            return 0.0
        debt, since = known
        return max(0.0, debt - (self._clock() - since) / REFILL)


def group_of(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which one machine has to itself."""
    if address is None or ":" not in address:
        return address or ""
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
