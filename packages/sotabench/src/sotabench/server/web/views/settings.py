"""What a signed-in person changes: tokens and repositories."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from sotabench.server.accounts.models import Scope
from sotabench.server.accounts.queries import tokens_of
from sotabench.server.accounts.services import create_token, revoke_token
from sotabench.server.errors import Forbidden, Refused
from sotabench.server.repositories.identity import identity_of, location_of
from sotabench.server.repositories.queries import repositories_for, repository_for
from sotabench.server.repositories.services import connect_repository, set_public
from sotabench.server.web.addresses import identity_path, repository_url
from sotabench.server.web.formats import plain
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.views.answers import refusals_shown, signed_in

_MOST_REPOSITORIES = 100


class TokenForm(forms.Form):
    """A name to know the token by, and what it may be used for."""

    name = forms.CharField(max_length=100, help_text="Where it will be used, for instance: laptop")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, initial=[Scope.SUBMIT], label="It may"
    )


class RepositoryForm(forms.Form):
    """Which repository, and who may see it here."""

    address = forms.CharField(max_length=400, help_text="owner/name, or https://host/owner/name")
    is_public = forms.BooleanField(required=False, initial=True, label="Everybody may see its results")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The user's tokens; after a POST also the new one, which is shown this once."""
    user, text = signed_in(request), ""
    form = TokenForm(request.POST if request.method == "POST" else None, label_suffix="")
    if form.is_valid():
        _, text = create_token(user, name=plain(form.cleaned_data["name"], 90), scopes=form.cleaned_data["scopes"])
        form = TokenForm(label_suffix="")
    facts = {"form": form, "new_token": text, "list": page_of(tokens_of(user), Chosen(request.GET))}
    return render(request, "web/tokens.html", facts)


@login_required
@require_POST
def revoke(request: HttpRequest, key: int) -> HttpResponse:
    """End one of the user's own tokens."""
    token = get_object_or_404(tokens_of(signed_in(request)), pk=key)
    revoke_token(token)
    messages.success(request, f"The token {plain(token.name)} is revoked: nothing can be done with it any more.")
    return redirect("tokens")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest) -> HttpResponse:
    """The form that connects a repository; afterwards, its page."""
    form, others = RepositoryForm(request.POST if request.method == "POST" else None, label_suffix=""), ""
    if form.is_valid():
        address, is_public = form.cleaned_data["address"], form.cleaned_data["is_public"]
        try:
            location = location_of(address)
            made = connect_repository(
                signed_in(request), location.identity, is_public=is_public, clone_url=location.clone_url
            )
        except Forbidden as refusal:
            form.add_error("address", plain(refusal, 600))
            others = f"{location.identity.host}/{location.identity.owner_name}/{location.identity.name}"
        except Refused as refusal:
            form.add_error("address", plain(refusal, 600))
        else:
            return redirect("repository-settings", identity_path(made))
    mine = repositories_for(request.user).filter(owner=signed_in(request))[:_MOST_REPOSITORIES]
    return render(request, "web/connect.html", {"form": form, "repositories": mine, "others": others})


@login_required
@require_POST
@refusals_shown
def visibility(request: HttpRequest, identity: str) -> HttpResponse:
    """Show a repository to everybody, or to its owner alone."""
    repository = repository_for(request.user, identity_of(identity))
    set_public(signed_in(request), repository, is_public=request.POST.get("public") == "yes")
    return redirect(repository_url(repository))
