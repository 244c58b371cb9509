"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from sotabench.server import observing

urlpatterns = [
    path("healthz", observing.health),
    path("metrics", observing.metrics),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", include("sotabench.server.api.urls")),
    path("", include("sotabench.server.web.urls")),
]
