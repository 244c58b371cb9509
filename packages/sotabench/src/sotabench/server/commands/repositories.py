"""`sotabench repositories`: what whoever runs the site says about repositories, without asking a git host."""

import argparse

from django.core.management import call_command

from sotabench.server.accounts.models import User
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.proofs import add_by_operator
from sotabench.server.repositories.services import approve, repository_named, why_not_built


def run(arguments: argparse.Namespace) -> int:
    """Add one, approve one, or list all."""
    call_command("migrate", interactive=False, verbosity=0)
    if arguments.action == "list":
        for one in Repository.objects.select_related("owner"):
            print(f"{one.host}/{one}\t{one.owner}\t{why_not_built(one) or 'is built'}")
        return 0
    if not arguments.repository:
        raise Invalid(f"expected `sotabench repositories {arguments.action} REPOSITORY`, found none")
    if arguments.action == "add":
        made = add_by_operator(
            _owner(arguments.owner), arguments.repository, name=arguments.name, branch=arguments.branch
        )
        print(f"{made.host}/{made} is {made.owner}'s")
        return 0
    found = repository_named(identity_of(arguments.repository))
    if found is None:
        raise NotFound(f"expected a repository of this site, found none named {arguments.repository[:200]}")
    approve(found)
    print(f"{found.host}/{found}: {why_not_built(found) or 'is built from its next push on'}")
    return 0


def _owner(username: str | None) -> User:
    found = User.objects.filter(username__iexact=username) if username else User.objects.filter(is_superuser=True)
    if owner := found.order_by("pk").first():
        return owner
    raise NotFound("expected a user of this site to own it; `sotabench serve` makes the first, --owner names another")
