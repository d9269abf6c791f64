from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SandboxConfig(AppConfig):
    name = "sandbox"
    verbose_name = _("Sandbox")

    def ready(self) -> None:
        from catalog import sweep  # noqa: PLC0415  # models are there only now
        from sandbox.reads import prepared_extracts  # noqa: PLC0415

        sweep.spare(prepared_extracts)
