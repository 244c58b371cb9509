"""All addresses of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from sotabench.server import gauges, observing
from sotabench.server.api.webhooks import webhook

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # nobody counts tries there

gauges.register()

handler500 = "sotabench.server.outages.failed"

urlpatterns = [
    path("healthz", observing.health),
    path("metrics", observing.metrics),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/", include("sotabench.server.api.urls")),
    path("webhooks/<int:key>", webhook, name="webhook"),
    path("", include("sotabench.server.web.urls")),
]
