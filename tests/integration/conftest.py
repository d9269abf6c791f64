"""What most of these tests begin with: the city's parties, and a worker with its jail, one for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.worker import Worker
from tests import factories


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def city() -> factories.City:
    return factories.city()
