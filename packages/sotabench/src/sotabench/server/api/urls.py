"""Addresses below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from sotabench.server.api import runner, v0, v1
from sotabench.server.api.v0_uploads import put_part

urlpatterns: list[URLPattern | URLResolver] = [
    path("v0/part/<str:signed>", put_part, name="upload-part"),
    path("v0/", v0.api.urls),
    path("v1/", v1.api.urls),
    path("runner/", runner.api.urls),
]
