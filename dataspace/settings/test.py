"""The test run: fixed keys, fast hashing, broker in memory. Services are started by `dataspace test`."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("DATASPACE_SECRET_KEY", "test-only-" + "x" * 50)
os.environ.setdefault("DATASPACE_KEY_ENCRYPTION_KEY", "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=")
os.environ.setdefault("DATASPACE_SPACE_KEY", "5e" * 32)
os.environ.setdefault("DATABASE_URL", "postgresql://postgres@localhost/dataspace")
if "DATASPACE_DATA_DIR" not in os.environ:
    os.environ["DATASPACE_DATA_DIR"] = tempfile.mkdtemp(prefix="dataspace-test-")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests damage extracts on purpose, and the same rows give the same file: each test process has its own folder.
    os.environ["DATASPACE_DATA_DIR"] += "/" + os.environ["PYTEST_XDIST_WORKER"]

from dataspace.settings.base import *  # noqa: F403

LANGUAGE_CODE = "en"  # tests read the words as the code says them, compiled translations or not
CELERY_BROKER_URL = "memory://"
RELEASE_TICK_SECONDS = 0
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405  # whitenoise warns about a folder that is not there
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
