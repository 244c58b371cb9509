"""NUL, which PostgreSQL cannot even look for, gets no further than the site: in addresses, queries, forms, cookies."""

import re
from io import BytesIO
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.cache import cache
from django.core.exceptions import TooManyFieldsSent
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from site_routes import all_routes

from sotabench.server.accounts.services import create_token
from sotabench.server.bodies import OneCharset
from sotabench.server.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("resnexts")]

TEXT_PART = re.compile(r"<(?:str:|path:|slug:)?(?!int:)(?P<name>\w+)>")
IN_PATHS = {"identity": "pytorch/vision", "owner": "pytorch", "name": "vision", "username": "ada"}
ASKED_BY_PAGES = (
    "q", "c", "condition", "with", "sort", "order", "tab", "tier", "extra", "x", "page", "next", "after", "address",
)  # fmt: skip
ASKED_BY_PROGRAMS = ("search", "name", "owner", "dataset", "run_hash", "other", "against")
PASSWORD = "correct horse battery"  # noqa: S105 - of users of tests
FORMS = {
    "/accounts/login/": {"login": "ada", "password": PASSWORD},
    "/accounts/signup/": {"username": "carol", "email": "", "password1": PASSWORD, "password2": PASSWORD},
    "/accounts/password/reset/": {"email": "a@example.org"},
    "/accounts/email/": {"email": "a@example.org", "action_add": "yes"},
    "/accounts/password/change/": {"oldpassword": PASSWORD, "password1": PASSWORD, "password2": PASSWORD},
    "/settings/tokens": {"name": "n", "scopes": "submit"},
    "/settings/repositories": {"address": "pytorch/vision"},
    "/settings/repositories/pytorch/vision/settings": {"default_branch": "dev", "tells_url": ""},
    "/settings/repositories/pytorch/vision/build": {"branch": "dev"},
    "/settings/repositories/pytorch/vision/visibility": {"public": "no"},
    "/settings/repositories/127.0.0.1/a/b/proof": {"how": "host", "token": "t", "kind": "gitea", "address": "a/b"},
}


@pytest.fixture(autouse=True)
def _nul_is_never_looked_for(settings):
    settings.API_REQUESTS_A_MINUTE = {"token": 10**6, "address": 10**6}
    settings.ACCOUNT_RATE_LIMITS = {}
    cache.clear()

    def look(execute, sql, parameters, many, context):
        assert not any("\0" in str(value) for value in parameters or ()), (sql, parameters)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(look):
        yield


@pytest.fixture
def askers(ada, vision, submit, record):
    """A stranger, and Ada by a session and by a token; there is a repository with a result."""
    submit(record())
    signed_in = Client()
    signed_in.force_login(ada)
    return Client(), signed_in, Client(headers={"Authorization": f"Bearer {create_token(ada, name='all')[1]}"})


def with_nul():
    """Every address that has a part of text, with NUL at the end of one of them."""
    for route in all_routes():
        simple = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).replace("^", "").replace("$", "").replace("int:", "int-")
        for place in range(len(TEXT_PART.findall(simple))):
            count = iter(range(9))
            found = TEXT_PART.sub(
                lambda part, at=place, count=count: (
                    IN_PATHS.get(part["name"], "1") + ("%00" if next(count) == at else "")
                ),
                simple,
            )
            yield "/" + re.sub(r"<int-\w+>", "1", found)


def test_no_part_of_an_address(askers):
    addresses = list(with_nul())
    assert {"/user/ada%00", "/user/ada/repos/pytorch/vision%00", "/builds/pytorch/vision%00/1"} <= set(addresses)
    for address in addresses:
        for asker in askers:
            for method in ("GET", "POST"):
                assert asker.generic(method, address).status_code < 500, address


@pytest.mark.parametrize("name", [*ASKED_BY_PAGES, *ASKED_BY_PROGRAMS])
def test_no_question(askers, name):
    for route in all_routes():
        if route.startswith(("admin/", "accounts/")) and name != "next":
            continue
        if (name in ASKED_BY_PROGRAMS) == route.startswith("api/"):
            path = TEXT_PART.sub(lambda part: IN_PATHS.get(part["name"], "image-classification-on-imagenet"), route)
            path = "/" + re.sub(r"<(?:int:)?\w+>", "1", path)
            if "(?P" not in path:
                for asker in askers:
                    assert asker.get(path, {name: "a\0b"}).status_code < 500, path


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, form in FORMS.items() for field in form])
def test_no_form(askers, path, field):
    for asker in askers:
        assert asker.post(path, FORMS[path] | {field: f"{FORMS[path][field]}\0"}).status_code not in {404, 500}


def test_no_cookie(askers):
    """A quoted one may hold any byte."""
    stranger, *_ = askers
    for name in ("sessionid", "csrftoken", "messages"):
        assert stranger.get("/", headers={"Cookie": f'{name}="{"a" * 31}\\000"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/user/%00", 404),
        ("/user/ada%00", 404),
        ("/user/x/repos/a/b%00", 400),
        ("/builds/a/b%00/1", 400),
        ("/builds/https://x%00y/a/b/1", 400),
        ("/builds/ssh://git@x%00y/a/b/1", 400),
    ],
)
def test_it_is_an_address_of_nothing(client, ada, path, status):
    assert client.get(path).status_code == status


@pytest.fixture
def ask():
    """The status and text that the site, as it is served, answers; and the request as Django sees it, if it does."""

    def asked(content_type, query="", method="GET", body=b""):
        said, seen = [], []

        def django(environ, start_response):
            seen.append(WSGIRequest(environ))
            start_response("200 OK", [])
            return []

        environ = {"REQUEST_METHOD": method, "QUERY_STRING": query, "CONTENT_TYPE": content_type}
        setup_testing_defaults(environ)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answer = OneCharset(django)(environ, lambda status, _: said.append(status))
        return said[0], b"".join(answer).decode(), *seen

    return asked


ODD_TYPES = [
    *(f"text/plain; charset={name}" for name in ("undefined", "zlib", "rot13", "idna", "punycode", "no-such-one")),
    *(f'text/plain; charset="{name}"' for name in ("unicode_escape", "utf-16", "utf-7", "latin-1", "", "\0")),
    "text/plain; Charset=unicode_escape; charset=utf-8; charset=zlib",
    "text/plain; charset*=utf-8''zlib",
]


def test_site_that_is_served_reads_one_charset():
    assert isinstance(application, OneCharset)


@pytest.mark.parametrize("content_type", ODD_TYPES)
def test_another_charset_than_that_of_all_pages_is_refused(ask, content_type):
    """Python has some that decode nothing, and some that make half a character of what is written."""
    status, text = ask(content_type, "q=%5Cud800")
    assert (status[:3], "UTF-8" in text) == ("415", True)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "x; charset=utf-8", 'x; CHARSET = "UTF8"', "x; charset=ascii"]
)
def test_charset_of_all_pages_by_any_of_its_names_is_taken(ask, content_type):
    status, _, request = ask(content_type, "q=%C3%A9&" + "a&" * 1100)
    assert (status, request.encoding) == ("200 OK", None)
    with pytest.raises(TooManyFieldsSent):  # and not before there is somebody to answer it
        request.GET  # noqa: B018 - it reads the address


def test_form_that_says_its_charset_is_read_as_ever(ask):
    body = b'--x y\r\nContent-Disposition: form-data; name="login"\r\n\r\n\xc3\xa9\r\n--x y--\r\n'
    *_, request = ask('multipart/form-data; charset=UTF-8; boundary="x y"', method="POST", body=body)
    assert request.POST["login"] == "\u00e9"


@pytest.mark.parametrize("way", ["//[x", "http://[x", "https://[::1/", "//[x]:y/"])
def test_way_back_that_is_no_address_is_none(askers, way):
    stranger, signed_in, _ = askers
    form = {"login": "ada", "password": PASSWORD, "next": way}
    assert stranger.get("/accounts/login/", {"next": way}).status_code == 200
    assert stranger.post("/accounts/login/", form)["Location"] == "/"
    assert signed_in.get("/accounts/logout/", {"next": way}).status_code == 200
    assert signed_in.post("/accounts/logout/", {"next": way})["Location"] == "/"
