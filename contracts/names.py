"""Words for the ids in a contract's terms: what `contracts.policy.wording.describe` takes as `names`.

They are in the reader's language where the parties gave names in it; columns have the provider's words.
"""

from __future__ import annotations

from catalog.models import Dataset
from catalog.names import title_of
from contracts.models import Contract
from contracts.states import Purpose
from parties.names import name_of


def names_in(contract: Contract) -> dict[str, str]:
    """IRI of each party and dataset → its name; "dataset.column" → the column's meaning; purpose → its words."""
    names = {value: str(label) for value, label in Purpose.choices}
    names |= {
        signature.organization.iri: name_of(signature.organization) for signature in contract.signatures.all()
    }
    datasets = Dataset.objects.filter(name__in=[term.name for term in contract.terms.datasets])
    for dataset in datasets:
        names[dataset.iri] = title_of(dataset)
        version = dataset.current
        for column in version.schema.columns if version else ():
            if column.meaning:
                names[f"{dataset.name}.{column.name}"] = column.meaning
    return names
