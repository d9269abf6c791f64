"""Loading this makes our Celery application the current one wherever Django runs: web, commands, tests."""

from django.apps import AppConfig

from dataspace.celery import app as celery_app


class DataspaceConfig(AppConfig):
    name = "dataspace"

    def ready(self) -> None:
        celery_app.set_default()
