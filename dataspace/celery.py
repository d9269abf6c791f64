"""The Celery application. Tasks carry ids only: the row is the truth, the queue a nudge (P4)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dataspace.settings.dev")
app = Celery("dataspace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
