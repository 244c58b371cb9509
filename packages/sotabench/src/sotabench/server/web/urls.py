"""Addresses of the pages."""

from django.urls import URLPattern, URLResolver, path

from sotabench.server.web.views import benchmarks, builds, connecting, front, papers, repositories, results, settings

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front.front, name="front"),
    path("favicon.ico", front.favicon, name="favicon"),
    path("robots.txt", front.robots, name="robots"),
    path("benchmarks", front.benchmarks, name="benchmarks"),
    path("benchmarks/<slug:slug>", benchmarks.benchmark, name="benchmark"),
    path("paper/<slug:slug>", papers.paper, name="paper"),
    path("user/<str:username>", repositories.user, name="user"),
    path("user/<str:username>/repos/<path:identity>", repositories.repository, name="repository"),
    path("builds/<path:identity>/<int:number>", builds.build, name="build"),
    path("builds/<path:identity>/<int:number>/log", builds.log, name="build-log"),
    path("builds/<path:identity>/<int:number>/log.txt", builds.log_text, name="build-log-text"),
    path("builds/<path:identity>/<int:number>/cancel", builds.cancel, name="cancel-build"),
    path("builds/<path:identity>/<int:number>/again", builds.again, name="build-again"),
    path("results/<int:key>", results.result, name="result"),
    path("results/<int:key>/record.json", results.record, name="record"),
    path("results/<int:key>/compare", results.compare, name="compare"),
    path("settings/tokens", settings.tokens, name="tokens"),
    path("settings/tokens/<int:key>/revoke", settings.revoke, name="revoke-token"),
    path("settings/repositories", settings.connect, name="connect"),
    path("settings/repositories/<path:identity>/visibility", settings.visibility, name="visibility"),
    path("settings/repositories/<path:identity>/proof", connecting.proof, name="proof"),
    path("settings/repositories/<path:identity>/settings", connecting.repository_settings, name="repository-settings"),
    path("settings/repositories/<path:identity>/forget-token", connecting.forget_token, name="forget-token"),
    path("settings/repositories/<path:identity>/build", connecting.build_now, name="build-now"),
    path("settings/repositories/<path:identity>/disconnect", connecting.let_go, name="disconnect"),
    # After those above, which are also the addresses of a repository called `secrets`.
    path("settings/repositories/<path:identity>/secrets/<slug:what>", connecting.new_secret, name="new-secret"),
]
