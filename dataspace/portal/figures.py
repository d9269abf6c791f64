"""The front page's numbers. Counts only, over what everyone may see or what names nobody."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Sum
from django.utils.translation import gettext_lazy as _

from catalog.models import Version
from catalog.names import title_of
from catalog.selectors import in_order, visible_datasets, with_current
from catalog.sizes import told
from catalog.states import VersionState
from contracts.models import Contract
from contracts.states import ContractState
from dataspace.portal.charts import ChartColumn, chart_for
from dataspace.portal.doors import address
from dataspace.portal.parts import Stat
from dataspace.templatetags.look import about
from parties.actors import NOBODY
from sandbox.models import Release

CHARTED = 12


def sizes_chart() -> dict[str, Any] | None:
    """Rows of the largest datasets in the public catalog."""
    largest = with_current(in_order(visible_datasets(NOBODY), "-rows"))[:CHARTED]
    rows = [(title_of(dataset), dataset.current.told_rows) for dataset in largest if dataset.current]
    return chart_for([ChartColumn(_("Dataset"), measure=False), ChartColumn(_("Rows"), measure=True)], rows)


def public_figures() -> list[Stat]:
    """Datasets and rows in the public catalog, contracts in force, results released. Four queries."""
    datasets = visible_datasets(NOBODY)
    published = Version.objects.filter(state=VersionState.PUBLISHED)
    newer = published.filter(dataset=OuterRef("dataset"), number__gt=OuterRef("number"))
    rows = published.filter(~Exists(newer), dataset__in=datasets.values("pk")).aggregate(rows=Sum("rows"))[
        "rows"
    ]
    in_force = Contract.objects.filter(state=ContractState.ACTIVE).count()
    return [
        Stat(_("Datasets"), datasets.count(), url=address("portal:catalog")),
        Stat(_("Rows"), about(told(rows)) if rows else 0, note=_("none of which ever leaves")),
        Stat(_("Contracts in force"), in_force, note=_("signed by every party")),
        Stat(_("Released results"), Release.objects.count(), note=_("protected before they left")),
    ]
