"""End-to-end tests: the service with the real signal-cli, in a lab that is started once."""

from pathlib import Path

import pytest

from tests.e2e.lab.fixtures import lab, mark_real, prepared

__all__ = ["lab", "prepared"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the real signal-cli."""
    mark_real(items, Path(__file__).parent)
