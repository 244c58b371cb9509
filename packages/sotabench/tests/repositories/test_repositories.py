"""The host is part of a repository's identity; names are a stranger's text."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError

from sotabench.server.errors import Forbidden, Invalid, NotFound
from sotabench.server.repositories.identity import Identity, identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import repository_for
from sotabench.server.repositories.services import change_repository, connect_repository, set_build_enabled

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("pytorch/vision", Identity("github.com", "pytorch", "vision")),
        ("https://GitHub.com/pytorch/vision.git", Identity("github.com", "pytorch", "vision")),
        ("gitlab.com/group/sub/name", Identity("gitlab.com", "group/sub", "name")),
        ("https://codeberg.org/a/b/", Identity("codeberg.org", "a", "b")),
        ("https://github.com:443/a/b", Identity("github.com", "a", "b")),
        ("GitHub.com:443/a/b", Identity("github.com", "a", "b")),
        ("github.com:0443/a/b", Identity("github.com", "a", "b")),
        ("git.example.org:08443/a/b", Identity("git.example.org:8443", "a", "b")),
        ("https://github.com/a/b.GIT.git", Identity("github.com", "a", "b")),
    ],
)
def test_repository_is_named_in_any_usual_way(text, identity):
    assert identity_of(text) == identity


@pytest.mark.parametrize(
    "text",
    ["github.com:0/a/b", "https://github.com:0/a/b", "github.com:65536/a/b", "github.com:x/a/b", "me@github.com/a/b",
     "github.com?x/a/b", "github.com#x/a/b", ":443/a/b", "[/a/b"],
)  # fmt: skip
def test_host_that_no_address_can_have_is_refused(text):
    """Each would be one more name for a repository that has one already."""
    with pytest.raises(Invalid):
        identity_of(text)


def test_same_name_on_two_hosts_is_two_repositories(ada):
    first = connect_repository(ada, identity_of("github.com/a/b"))
    second = connect_repository(ada, identity_of("gitlab.com/a/b"))
    assert first != second
    assert connect_repository(ada, identity_of("GITHUB.com/A/B")) == first


def test_database_itself_refuses_a_second_repository_in_other_case(vision, ada):
    with pytest.raises(IntegrityError):
        Repository.objects.create(host="github.com", owner_name="PyTorch", name="Vision", owner=ada)


@pytest.mark.parametrize(
    "url",
    ["http://a.example/", "https://", "https://[::1", "https://a b/", "https://a\nb/", "https://me:pass@a.example/",
     "https://a.example:99999/", "https://\u00e4.example/", "javascript:https://"],
)  # fmt: skip
def test_address_that_can_never_be_told_is_refused_at_once(ada, vision, url):
    with pytest.raises(Invalid):
        change_repository(ada, vision, tells_url=url)
    vision.refresh_from_db()
    assert vision.tells_url == ""
    change_repository(ada, vision, tells_url="https://a.example/hook?x=1")
    assert Repository.objects.get().tells_url == "https://a.example/hook?x=1"
    change_repository(ada, vision, tells_url="")


@pytest.mark.parametrize(
    "identity",
    [
        Identity("github.com", "a", ".."),
        Identity("github.com", "a", "b c"),
        Identity("github.com", "../x", "b"),
        Identity("github.com", "a", "<script>"),
        Identity("github.com\n", "a", "b"),
        Identity("user:pass@host", "a", "b"),
        Identity("javascript:alert(1)//", "a", "b"),
        Identity("github.com", "a", "b\n"),
        Identity("github.com", "a", "b\u202e"),
        Identity("github.com", "a" * 300, "b"),
    ],
)
def test_name_that_no_host_has_is_refused(ada, identity):
    with pytest.raises(Invalid):
        connect_repository(ada, identity)
    assert not Repository.objects.exists()


@pytest.mark.parametrize("text", ["", "name", "a//b", "/", "https://"])
def test_text_that_names_no_repository_is_refused(text):
    with pytest.raises(Invalid):
        identity_of(text)


def test_who_was_first_keeps_a_repository(vision, bob):
    with pytest.raises(Forbidden):
        connect_repository(bob, identity_of("pytorch/vision"))
    with pytest.raises(Forbidden):
        set_build_enabled(bob, vision, enabled=False)


def test_private_repository_looks_like_none_to_others(vision, bob, ada):
    Repository.objects.update(is_public=False)
    assert repository_for(ada, identity_of("pytorch/vision")) == vision
    for viewer in (bob, AnonymousUser()):
        with pytest.raises(NotFound):
            repository_for(viewer, identity_of("pytorch/vision"))
