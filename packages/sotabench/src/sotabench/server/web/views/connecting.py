"""From an address to a repository whose pushes are built: prove it, set it up, build it; without any script."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from sotabench.server.builds.pushes import build_branch
from sotabench.server.errors import NotFound, Refused
from sotabench.server.repositories import hosts
from sotabench.server.repositories.identity import Identity, Location, identity_of, location_of
from sotabench.server.repositories.keys import (
    forget_host_token,
    keep_host_token,
    new_deploy_key,
    new_notice_secret,
    new_webhook_secret,
)
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.proofs import PROOF_FILE, proof_line, prove_by_file, prove_by_host
from sotabench.server.repositories.queries import repository_for
from sotabench.server.repositories.services import (
    change_repository,
    check_may_change,
    disconnect,
    repository_named,
    why_not_built,
)
from sotabench.server.web.addresses import build_url, identity_path, repository_url
from sotabench.server.web.formats import plain
from sotabench.server.web.forms import ProofForm, SettingsForm
from sotabench.server.web.views.answers import refusals_shown, signed_in

_DELIVERIES = 10


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@refusals_shown
def proof(request: HttpRequest, identity: str) -> HttpResponse:
    """How to show that one controls a repository, and the place to have it checked; says nothing of who has it now."""
    user, location = signed_in(request), _location(request, identity)
    form = ProofForm(request.POST if request.POST.get("how") == "host" else None, label_suffix="")
    trouble, status = "", 200
    if request.method == "POST":
        try:
            made = _prove(request, location, form)
        except Refused as refusal:
            trouble, status = plain(refusal, 600), refusal.status
        else:
            if made is not None:
                messages.success(request, "You have shown that you control this repository.")
                return redirect("repository-settings", identity_path(made))
            status = 400
    facts = {
        "identity": location.identity,
        "path": identity,
        "address": location.clone_url,
        "file": PROOF_FILE,
        "line": proof_line(user, location.identity),
        "form": form,
        "trouble": trouble,
    }
    return render(request, "web/proof.html", facts, status=status)


def _prove(request: HttpRequest, location: Location, form: ProofForm) -> Repository | None:
    """The proven repository; None when the form has to be filled in otherwise."""
    user = signed_in(request)
    if request.POST.get("how") != "host":
        return prove_by_file(user, location)
    if not form.is_valid():
        return None
    scheme = "http" if location.clone_url.startswith("http:") else "https"
    kind = hosts.kind_of(location.identity.host, form.cleaned_data["kind"])
    access = hosts.Access(kind, form.cleaned_data["token"], scheme)
    made = prove_by_host(user, location, access)
    if form.cleaned_data["keep"]:
        keep_host_token(user, made, access)
    return made


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@refusals_shown
def repository_settings(request: HttpRequest, identity: str) -> HttpResponse:
    """The steps to the first build, and everything that the repository's owner may change."""
    found = _own(request, identity)
    form = SettingsForm(request.POST or None, instance=found, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            change_repository(signed_in(request), found, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, plain(refusal, 600))
        else:
            messages.success(request, "Kept.")
            return redirect("repository-settings", identity_path(found))
    return _show(request, found, form=form)


@never_cache
@login_required
@require_POST
@refusals_shown
def new_secret(request: HttpRequest, identity: str, what: str) -> HttpResponse:
    """Make a secret anew, and show it this once."""
    found = _own(request, identity)
    make = {"webhook": new_webhook_secret, "deploy-key": new_deploy_key, "notices": new_notice_secret}.get(what)
    if make is None:
        raise NotFound("expected a secret that there is")
    return _show(request, found, **{what.replace("-", "_"): make(signed_in(request), found)})


@login_required
@require_POST
@refusals_shown
def forget_token(request: HttpRequest, identity: str) -> HttpResponse:
    """Forget the token of the git host."""
    found = _own(request, identity)
    forget_host_token(signed_in(request), found)
    messages.success(request, "The token is forgotten; revoke it on the git host too.")
    return redirect("repository-settings", identity_path(found))


@login_required
@require_POST
@refusals_shown
def build_now(request: HttpRequest, identity: str) -> HttpResponse:
    """Build a branch now; of another than the default one it is an unlisted preview."""
    found = _own(request, identity)
    made = build_branch(signed_in(request), found, branch=request.POST.get("branch", ""))
    made.repository = found
    return redirect(build_url(made))


@login_required
@require_POST
@refusals_shown
def let_go(request: HttpRequest, identity: str) -> HttpResponse:
    """Build it no more and forget its secrets."""
    found = _own(request, identity)
    disconnect(signed_in(request), found)
    messages.success(request, "It is built no more, and its secrets are forgotten. Its results stay.")
    return redirect(repository_url(found))


def _own(request: HttpRequest, identity: str) -> Repository:
    found = repository_for(request.user, identity_of(identity))
    check_may_change(signed_in(request), found)
    return found


def _location(request: HttpRequest, identity: str) -> Location:
    """Where the repository is: as its holder connected it, else as the asker wrote, if that is the same repository."""
    meant = identity_of(identity)
    found = repository_named(meant)
    if found is not None and found.owner_id == signed_in(request).pk:
        return Location(Identity(found.host, found.owner_name, found.name), found.clone_url)
    written = request.POST.get("address") or request.GET.get("address") or ""
    location = location_of(written) if written else Location(meant)
    return location if location.identity == meant else Location(meant)


def _show(request: HttpRequest, found: Repository, **shown: object) -> HttpResponse:
    keys = Keys.objects.filter(repository=found).first() or Keys(repository=found)
    why = why_not_built(found)
    facts = {
        "repository": found,
        "form": SettingsForm(instance=found, label_suffix=""),
        "keys": keys,
        "watch": getattr(found, "watch", None),
        "why": why,
        "hook": request.build_absolute_uri(reverse("webhook", args=[found.pk])),
        "deliveries": found.deliveries.all()[:_DELIVERIES],
        "is_ssh": found.clone_url.startswith("ssh:"),
        "minutes": settings.POLL_MINUTES,
        **shown,
    }
    return render(request, "web/repository_settings.html", facts)
