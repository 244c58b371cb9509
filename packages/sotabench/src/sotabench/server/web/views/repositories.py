"""Pages of users and repositories."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sotabench.server.accounts.queries import user_by_name
from sotabench.server.benchmarks.queries import counted_repositories, current_results
from sotabench.server.builds.queries import builds_of
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import repository_for
from sotabench.server.web.addresses import identity_path, repository_url
from sotabench.server.web.beside import rows_of
from sotabench.server.web.formats import plain
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.views.answers import page

_BUILDS = 20
_GITHUB = "github.com"


@page
def user(request: HttpRequest, username: str) -> HttpResponse:
    """Who it is, and the repositories that the visitor may see."""
    found = user_by_name(username)
    facts = {"person": found, "list": page_of(counted_repositories(found, request.user), Chosen(request.GET))}
    return render(request, "web/user.html", facts)


@page
def repository(request: HttpRequest, username: str, identity: str) -> HttpResponse:
    """The latest results, each beside its paper, and the builds."""
    found = repository_for(request.user, identity_of(identity))
    if (username, identity) != (found.owner.username, identity_path(found)):
        return redirect(repository_url(found))
    links = page_of(current_results(found), Chosen(request.GET))
    results = list(links.page.object_list)
    for result in results:
        result.repository = found
    builds = list(builds_of(found)[:_BUILDS])
    for build in builds:
        build.repository = found
    facts = {"repository": found, "list": links, "rows": rows_of(results), "builds": builds}
    facts["badge"] = _badge(request, found) if found.is_public else ""
    return render(request, "web/repository.html", facts)


def _badge(request: HttpRequest, found: Repository) -> str:
    """Markdown for a README: the badge, which leads to the repository's page.

    Its address names the host, so that it stays right when the site's default one becomes another.
    """
    is_short = found.host == _GITHUB and "/" not in found.owner_name
    data = request.build_absolute_uri(f"/api/v0/badge/{'gh' if is_short else found.host}/{found}")
    page_address = request.build_absolute_uri(repository_url(found))
    return f"[![{plain(found)}](https://img.shields.io/endpoint?{urlencode({'url': data})})]({page_address})"
