"""The use cases of the catalog, one noun a file. Each locks, checks who and when, does, records, enqueues."""

from catalog.services.decisions import decide_bad_rows, reject_version
from catalog.services.descriptions import Description, change_dataset, create_dataset
from catalog.services.hand_in import hand_in_file, hand_in_table
from catalog.services.listing import list_dataset, withdraw_dataset
from catalog.services.schemas import set_schema
from catalog.services.showing import hide_from, show_to
from catalog.services.sources import register_source

__all__ = [
    "Description",
    "change_dataset",
    "create_dataset",
    "decide_bad_rows",
    "hand_in_file",
    "hand_in_table",
    "hide_from",
    "list_dataset",
    "register_source",
    "reject_version",
    "set_schema",
    "show_to",
    "withdraw_dataset",
]
