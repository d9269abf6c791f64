"""The basket (申请清单): what a visitor means to ask for. Kept in the session, also through the log-in.

It holds dataset uids with the columns chosen, and what was typed into the request's form, so that nothing entered
is lost to an error or a look at another page. It grants nothing: every use fetches the datasets anew with the rights
of the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from django.contrib.sessions.backends.base import SessionBase

from catalog.models import Dataset
from catalog.selectors import visible_datasets, with_current
from parties.actors import Actor

KEY = "basket"
MOST = 20  # datasets in one request


class Basket:
    """A view on the session; each change is kept at once."""

    def __init__(self, session: SessionBase) -> None:
        self._session = session
        kept = session.get(KEY)
        self._kept = cast("dict[str, Any]", kept) if isinstance(kept, dict) else {"items": {}, "entered": {}}

    def __contains__(self, uid: str) -> bool:
        return uid in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    @property
    def _items(self) -> dict[str, list[str]]:
        return cast("dict[str, list[str]]", self._kept["items"])

    @property
    def entered(self) -> dict[str, str]:
        """What was typed into the request's form, by field."""
        return cast("dict[str, str]", self._kept["entered"])

    def columns(self, uid: str) -> list[str]:
        return self._items.get(uid, [])

    def datasets(self, actor: Actor) -> list[Dataset]:
        """Those the reader may see, in the order added; what is no longer there leaves the basket. Two queries."""
        found = {
            str(d.uid): d for d in with_current(visible_datasets(actor).filter(uid__in=list(self._items)))
        }
        for uid in self._items.keys() - found.keys():
            self.remove(uid)
        return [found[uid] for uid in self._items]

    def add(self, dataset: Dataset) -> bool:
        """Whether there was room."""
        if len(self) >= MOST:
            return False
        self._items.setdefault(str(dataset.uid), [])
        self._keep()
        return True

    def remove(self, uid: str) -> None:
        self._items.pop(uid, None)
        self._keep()

    def keep(self, columns: Mapping[str, Sequence[str]], entered: Mapping[str, str]) -> None:
        """Remember the columns chosen of the datasets in the basket, and what was typed."""
        for uid in self._items.keys() & columns.keys():
            self._items[uid] = list(columns[uid])
        self._kept["entered"] = dict(entered)
        self._keep()

    def clear(self) -> None:
        self._session.pop(KEY, None)

    def _keep(self) -> None:
        self._session[KEY] = self._kept
