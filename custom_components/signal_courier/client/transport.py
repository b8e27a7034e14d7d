"""One request to the service: address, token, JSON, deadline, and the exceptions for what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from .decoding import decode
from .errors import InvalidAnswer, Unreachable, problem_of

DEADLINE: Final = 60.0
"""Seconds for a request that names none; signal-cli may talk to Signal meanwhile."""
SHORT_DEADLINE: Final = 15.0
"""Seconds for what the service answers by itself."""

type Query = Mapping[str, str | int | bool | None]
type Body = Mapping[str, object]


class Transport:
    """Requests to one service, for one account (`None` where none is chosen yet)."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None, account: str | None) -> None:
        self.session = session
        self.base = url.rstrip("/")
        self.account = account
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def url(self, path: str, query: Query | None = None) -> URL:
        """The whole address. `path` is encoded already; what is `None` or empty in `query` is left out."""
        given = {key: _spelled(value) for key, value in (query or {}).items() if value not in (None, "")}
        return URL(self.base + path, encoded=True).with_query(given)

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request carries."""
        return self._headers

    def whose(self, account: str | None = None) -> dict[str, object]:
        """The member or parameter that names the account, if there is one."""
        named = account or self.account
        return {} if named is None else {"account": named}

    def number(self, account: str | None = None) -> str:
        """The account for a path. Raises `ValueError` where the client has none and none is given."""
        named = account or self.account
        if named is None:
            raise ValueError("the client was made without an account: name one")
        return segment(named)

    async def call(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float = DEADLINE,
    ) -> dict[str, object]:
        """A request with JSON, and its answer: an object, an empty one where there is none. Members that are `None` are not sent."""
        sent = None if body is None else {key: value for key, value in body.items() if value is not None}
        async with self.open(method, path, json_body=sent, query=query, headers=headers, deadline=deadline) as response:
            return await _object_in(response)

    async def send_data(
        self, path: str, data: bytes | AsyncIterator[bytes], headers: Mapping[str, str], deadline: float
    ) -> dict[str, object]:
        """POST a body of bytes; gives the decoded answer."""
        async with self.open("POST", path, data=data, headers=headers, deadline=deadline) as response:
            return await _object_in(response)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        json_body: Body | None = None,
        data: bytes | AsyncIterator[bytes] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float = DEADLINE,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request whose answer the caller reads; one that is no success has become an exception already.

        Raises:
            Unreachable: no connection, or no answer within `deadline` seconds.
            Problem: the service refuses; a subclass for what is worth a decision.
        """
        try:
            async with self.session.request(
                method,
                self.url(path, query),
                json=json_body,
                data=data,
                headers={**self._headers, **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=deadline),
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    raise problem_of(response.status, await _body_of_refusal(response))
                yield response
        except TimeoutError as error:
            raise Unreachable(f"no answer within {deadline:g} s") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            raise Unreachable(f"{self.base} is no address of a service") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error


def segment(text: str) -> str:
    """A part of a path, encoded so that nothing in it can lead elsewhere."""
    return quote(text, safe="")


def _spelled(value: str | int | bool | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _object_in(response: aiohttp.ClientResponse) -> dict[str, object]:
    text = await response.read()
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidAnswer("the answer is no JSON: is this the address of Signal Courier?") from error
    if not isinstance(found, dict):
        raise InvalidAnswer("the answer is no object: is this the address of Signal Courier?")
    return found


async def _body_of_refusal(response: aiohttp.ClientResponse) -> object:
    try:
        return json.loads(await response.read())
    except ValueError, asyncio.IncompleteReadError:
        return None


def read[T](kind: type[T], answer: object) -> T:
    """An answer as a dataclass. Raises `InvalidAnswer` where what is needed is missing."""
    try:
        return decode(kind, answer)
    except ValueError as error:
        raise InvalidAnswer(f"the answer is not what Signal Courier tells: {error}") from error


def read_all[T](kind: type[T], answer: dict[str, object], name: str) -> list[T]:
    """The list that an answer holds under `name`. Raises `InvalidAnswer`."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise InvalidAnswer(f"the answer is not what Signal Courier tells: {name} is missing")
    return [read(kind, one) for one in found]
