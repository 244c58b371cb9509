"""What the site's owner can do: the admin, sign-in through others, whom to let in."""

import os
import subprocess
import sys

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse

from sotabench.server.accounts.models import ApiToken
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.services import add_benchmark
from sotabench.server.builds.models import Build

pytestmark = pytest.mark.django_db

ASK = """
import sys
from sotabench.server import settings
print(eval(sys.argv[1]))
"""


def ask(expression, tmp_path, **environment):
    """The value of an expression in a site with these settings; what it prints when it refuses to start."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, expression],
        env={"PATH": os.environ["PATH"], "SOTABENCH_DATA": str(tmp_path), "SOTABENCH_SECRET_KEY": "x"} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_owner_sees_every_list_of_the_admin(client, owner_of_site, submit, record, resnexts, model):
    submit(record())
    client.force_login(owner_of_site)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert client.get(address).status_code == 200


def test_admin_is_closed_to_everybody_else(client, ada):
    assert client.get("/admin/").status_code == 302
    client.force_login(ada)
    assert client.get("/admin/").status_code == 302


def test_nobody_edits_results_builds_or_tokens(rf, owner_of_site):
    request = rf.get("/admin/")
    request.user = owner_of_site
    for model in (Result, Build, ApiToken):
        assert not admin.site._registry[model].has_change_permission(request)
        assert not admin.site._registry[model].has_add_permission(request)


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_what_may_be_unknown_may_be_left_empty_in_every_form_of_the_admin(rf, owner_of_site, model):
    request = rf.get("/admin/")
    request.user = owner_of_site
    found = admin.site._registry[model]
    if not found.has_change_permission(request):
        return
    forms = [(model, found.get_form(request))]
    forms += [(inline.model, inline.get_formset(request).form) for inline in found.get_inline_instances(request)]
    for its_model, form in forms:
        nullable = {field.name for field in its_model._meta.get_fields() if getattr(field, "column", "") and field.null}
        assert [name for name in nullable & set(form.base_fields) if form.base_fields[name].required] == []


def test_owner_lists_a_benchmark_of_unknown_size(client, owner_of_site):
    """As docs/site/papers.md says of the variants that records make: by the form, as it was shown."""
    whole = add_benchmark("Image Classification", "Beans", metrics=["Top 1 Accuracy"])
    made = add_benchmark("Image Classification", "Beans sample (20)", metrics=["Top 1 Accuracy"])
    Benchmark.objects.filter(pk=made.pk).update(
        size=None, is_listed=False, variant_of=whole, why_variant="a part of the data"
    )
    client.force_login(owner_of_site)
    address = f"/admin/benchmarks/benchmark/{made.pk}/change/"
    answer = client.get(address)
    form = {name: value for name, value in answer.context["adminform"].form.initial.items() if value is not None}
    form |= {"is_listed": "on", "metrics-TOTAL_FORMS": 0, "metrics-INITIAL_FORMS": 0}
    answer = client.post(address, form)
    assert answer.status_code == 302, answer.context["errors"]
    made.refresh_from_db()
    assert (made.is_listed, made.size, made.why_variant) == (True, None, "a part of the data")


def test_password_is_not_guessed_at_leisure(client, ada):
    cache.clear()
    guess = {"login": "ada", "password": "a wrong guess"}
    answers = [client.post("/accounts/login/", guess) for _ in range(7)]
    assert any("Too many failed login attempts" in answer.content.decode() for answer in answers[-2:])
    right = client.post("/accounts/login/", {"login": "ada", "password": "correct horse battery"})
    assert right.status_code != 302
    cache.clear()
    assert client.post("/accounts/login/", {"login": "ada", "password": "correct horse battery"}).status_code == 302


def test_signup_is_open_unless_the_owner_closes_it(client, settings):
    form = {"username": "carol", "password1": "correct horse battery", "password2": "correct horse battery"}
    settings.SIGNUP_OPEN = False
    client.post("/accounts/signup/", form)
    assert not client.login(username="carol", password="correct horse battery")
    settings.SIGNUP_OPEN = True
    assert client.post("/accounts/signup/", form).status_code == 302
    assert client.login(username="carol", password="correct horse battery")


@pytest.mark.parametrize("username", ["../admin", "a b", "<script>", "a" * 40, "-", "ada\u202e", "ADA"])
def test_name_that_would_not_fit_an_address_is_refused(client, ada, settings, username):
    settings.SIGNUP_OPEN = True
    form = {"username": username, "password1": "correct horse battery", "password2": "correct horse battery"}
    assert client.post("/accounts/signup/", form).status_code == 200


def test_other_ways_to_sign_in_are_there_when_they_are_configured(tmp_path):
    assert ask("settings.SOCIALACCOUNT_PROVIDERS", tmp_path) == "{}"
    github = {"SOTABENCH_GITHUB_ID": "id", "SOTABENCH_GITHUB_SECRET": "secret"}
    assert ask("settings.SOCIALACCOUNT_PROVIDERS['github']['APPS'][0]['client_id']", tmp_path, **github) == "id"
    oidc = {"SOTABENCH_OIDC_ID": "id", "SOTABENCH_OIDC_URL": "https://id.example.org"}
    app = "settings.SOCIALACCOUNT_PROVIDERS['openid_connect']['APPS'][0]"
    assert ask(f"{app}['settings']['server_url']", tmp_path, **oidc) == "https://id.example.org"


def test_https_behind_a_proxy_closes_what_is_open_without(tmp_path):
    secure = "(settings.SECURE_SSL_REDIRECT, settings.SESSION_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0)"
    assert ask(secure, tmp_path) == "(False, False, False)"
    environment = {"SOTABENCH_HTTPS": "true", "SOTABENCH_BEHIND_PROXY": "true", "SOTABENCH_HOSTS": "a.org, b.org"}
    assert ask(secure, tmp_path, **environment) == "(True, True, True)"
    assert ask("settings.CSRF_TRUSTED_ORIGINS", tmp_path, **environment) == "['https://a.org', 'https://b.org']"
    assert ask("settings.SECURE_PROXY_SSL_HEADER[0]", tmp_path, **environment) == "HTTP_X_FORWARDED_PROTO"


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"SOTABENCH_HTTPS": "yes"}, "SOTABENCH_HTTPS"),
        ({"SOTABENCH_HELP_URL": "javascript:alert(1)"}, "SOTABENCH_HELP_URL"),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://host"}, "DATABASE_URL"),
    ],
)
def test_setting_that_makes_no_sense_is_named(tmp_path, environment, name):
    assert f"expected {name} to be" in ask("1", tmp_path, **environment)


def test_address_of_postgresql_may_have_a_password_with_any_sign(tmp_path):
    url = "postgresql://me:p%40ss%2Fword@db.example.org:5433/site?sslmode=require"
    found = ask("[settings.DATABASES['default'][k] for k in ('USER', 'PASSWORD', 'HOST', 'PORT', 'NAME', 'OPTIONS')]",
                tmp_path, DATABASE_URL=url)  # fmt: skip
    assert found == "['me', 'p@ss/word', 'db.example.org', '5433', 'site', {'sslmode': 'require'}]"
