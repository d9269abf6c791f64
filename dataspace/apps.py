"""What happens once wherever Django runs (web, commands, tests): our Celery application becomes the current one,
and code that knows no Django gets the translator.
"""

from django.apps import AppConfig
from django.utils.translation import gettext

from audit.wording import use_translator
from dataspace.celery import app as celery_app


class DataspaceConfig(AppConfig):
    name = "dataspace"

    def ready(self) -> None:
        celery_app.set_default()
        use_translator(gettext)
