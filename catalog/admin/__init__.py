"""The providers' back office: datasets, versions from hand-in to publication, data sources."""

from catalog.admin.dataset import DatasetAdmin
from catalog.admin.source import SourceAdmin
from catalog.admin.version import VersionAdmin

__all__ = ["DatasetAdmin", "SourceAdmin", "VersionAdmin"]
