"""The image that the tests share."""

from collections.abc import Iterator

import pytest

from tests.app import conftest as app
from tests.image import builder


@pytest.fixture(scope="session")
def image() -> Iterator[builder.Image]:
    """Built from this working tree; skips where that cannot be."""
    reason = builder.missing() or app.missing()
    if reason is not None:
        pytest.skip(reason)
    built = builder.build()
    yield built
    builder.release()
