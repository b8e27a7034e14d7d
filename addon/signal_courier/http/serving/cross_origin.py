"""What browsers are told: which other origins may use the service (CORS), and whether to insist on https (HSTS). By setting only."""

from aiohttp import web

from signal_courier.settings import Settings

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, X-Api-Key, Idempotency-Key, Prefer, Courier-Expires-In, Last-Event-ID, Backup-Passphrase"
_EXPOSED = "Retry-After, Location, Content-Disposition, Preference-Applied, Idempotent-Replayed"
_KEEP = "600"
"""Seconds for which a browser remembers the answer to a preflight."""


class CrossOrigin:
    """Answers preflights, and dresses answers."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(settings.cors_origins)
        self._hsts = settings.hsts if settings.tls_certificate is not None else 0

    @property
    def active(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._origins or self._hsts)

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a browser that asks whether it may; `None` where that is no such question, or the answer is no."""
        if "Access-Control-Request-Method" not in request.headers or not self._allows(request.headers.get("Origin")):
            return None
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _KEEP,
        }
        if "Access-Control-Request-Private-Network" in request.headers:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=headers)

    def dress(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Add what the settings want told to an answer. Credentials are never allowed: a token goes in a header of the page's own."""
        if self._hsts:
            response.headers["Strict-Transport-Security"] = f"max-age={self._hsts}"
        origin = request.headers.get("Origin")
        if self._origins:
            response.headers.add("Vary", "Origin")
        if origin is not None and self._allows(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and (origin in self._origins or "*" in self._origins)
