"""`/metrics`: numbers for Prometheus. The library is loaded by the first who asks."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web

from signal_courier import __version__
from signal_courier.access.scopes import Scope
from signal_courier.engine.base import AccountState, EngineState
from signal_courier.http.answers import text_answer
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.http.services import Services

if TYPE_CHECKING:
    from prometheus_client.core import Metric

routes = RouteTable("Status", face=Face.NATIVE)


@routes.add(
    "GET", "/metrics", scope=Scope.ADMIN, quiet=True,
    answers=[Answer(200, "Prometheus text format.", str, media="text/plain", example="courier_inbox_pending 0.0")],
)  # fmt: skip
async def get_metrics(call: Call[None, None]) -> web.StreamResponse:
    """Tell numbers to Prometheus.

    In Prometheus' text format: accounts, what waits, the process. A token can be sent as Bearer or Basic.
    """
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Collector(call.services))
    return text_answer(generate_latest(registry).decode(), 200, CONTENT_TYPE_LATEST)


class _Collector:
    """Reads the numbers where they are, when they are asked for; nothing is counted twice."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> "Iterable[Metric]":
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily  # noqa: PLC0415

        engine, inbox = self._services.engine.status, self._services.receiving.inbox
        yield InfoMetricFamily("courier", "The service.", {"version": __version__, "signal_cli": engine.version or ""})
        ready = GaugeMetricFamily("courier_engine_state", "1 for the state that signal-cli is in.", labels=["state"])
        for state in EngineState:
            ready.add_metric([state.value], float(engine.state is state))
        yield ready
        yield GaugeMetricFamily("courier_engine_restarts", "How often signal-cli had to be started again.", engine.restarts)
        accounts = GaugeMetricFamily("courier_accounts", "How many accounts are in each state.", labels=["state"])
        for kind in AccountState:
            accounts.add_metric([kind.value], sum(one is kind for one in engine.accounts.values()))
        yield accounts
        yield GaugeMetricFamily("courier_inbox_pending", "Received messages that are not stored yet.", inbox.pending)
        yield GaugeMetricFamily("courier_inbox_paused", "Whether signal-cli was asked to wait.", float(inbox.paused))
        waiting = GaugeMetricFamily("courier_outbox_recipients", "For how many recipients something is to be sent.", labels=["state"])
        totals: Counter[str] = Counter()
        for states in self._services.outbox.counts().values():
            totals.update(states)
        for name, count in totals.items():
            waiting.add_metric([name], count)
        yield waiting
        yield GaugeMetricFamily("courier_scrape_time_seconds", "When these numbers were read.", time.time())
