"""All addresses: the portal at the root, the back office, the language switch, the API, the published log."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    # One way to change a password: the one that is on record.
    path("admin/password_change/", RedirectView.as_view(pattern_name="portal:password")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("dataspace.api.urls")),
    path("log/", include("dataspace.log_files")),
    path("", include("dataspace.portal.urls")),
]
