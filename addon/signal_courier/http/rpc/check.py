"""`/api/v1/check`: whether anybody is there."""

from aiohttp import web

from signal_courier.http.answers import empty
from signal_courier.http.call import Call
from signal_courier.http.routing import Answer, RouteTable

routes = RouteTable("signal-cli")


@routes.add("GET", "/api/v1/check", scope=None, quiet=True, answers=[Answer(200, "Yes.")])
async def check_service(call: Call[None, None]) -> web.StreamResponse:
    """Check whether the service is there.

    As signal-cli's own: it says nothing about signal-cli; `/api/v2/health` does.
    """
    return empty(200)
