"""From a provider's file or table to an immutable Parquet extract. Pure; no Django.

In order: `open_source` or `open_table`, `infer_schema` (a proposal the provider corrects), `validate`, `build`,
`profile`, `synthetic_rows`. Steps reported to `progress`: decode, infer, validate, build, digest, profile.
"""

from catalog.ingest.errors import IngestError
from catalog.ingest.extract import Extract, OnBadRows, build, sweep
from catalog.ingest.infer import infer_schema
from catalog.ingest.preview import preview
from catalog.ingest.profile import Profile, profile
from catalog.ingest.source import Source, open_source, open_table
from catalog.ingest.synthetic import synthetic_rows
from catalog.ingest.validate import Fault, Findings, Sample, validate
from catalog.ingest.workbook import sheet_names

__all__ = [
    "Extract",
    "Fault",
    "Findings",
    "IngestError",
    "OnBadRows",
    "Profile",
    "Sample",
    "Source",
    "build",
    "infer_schema",
    "open_source",
    "open_table",
    "preview",
    "profile",
    "sheet_names",
    "sweep",
    "synthetic_rows",
    "validate",
]
