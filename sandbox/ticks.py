"""When what became of work over data is told: on a tick, as how long it took tells of the data."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone


def next_tick(since: datetime) -> datetime:
    """The first moment from now on that lies a whole number of ticks after `since`."""
    now, tick = timezone.now(), settings.RELEASE_TICK_SECONDS
    if not tick:
        return now
    return since + timedelta(seconds=tick * math.ceil((now - since).total_seconds() / tick))
