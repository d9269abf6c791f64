"""All addresses: the portal at the root, the back office, the language switch, the API."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("dataspace.api.urls")),
    path("", include("dataspace.portal.urls")),
]
