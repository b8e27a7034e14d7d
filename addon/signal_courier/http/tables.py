"""Every route of every face, in the order in which the documentation shows them."""

from collections.abc import Iterable, Sequence

from signal_courier.http import compat, gateway, native, rpc
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (*compat.TABLES, *native.TABLES, *gateway.TABLES, *rpc.TABLES)
