"""A real browser, a real site on loopback, and visitors whose browser had nothing to complain about."""

import os
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchrecord import PredictionsBuilder, write_predictions
from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.repositories.models import Repository

INSTALL = "no chromium here, so no page is tried in a browser: apt-get install chromium"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
IMAGES = 100


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, driven by Playwright, which downloads none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(INSTALL)
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's loop runs in this thread; Django would take the test's own queries for mistakes.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        found = playwright.chromium.launch(executable_path=path, headless=True, args=list(QUIET))
        yield found
        found.close()


@dataclass
class Visitors:
    """Opens pages as new visitors, and keeps all that their browsers complained about."""

    browser: Browser
    address: str
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def new(self, **options) -> Page:
        """The blank page of somebody who was never here; addresses are the site's own."""
        context = self.browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("requestfailed", self._failed)
        context.on("request", self._request)
        return context.new_page()

    def _console(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the visitor left before it came
            self.complaints.append(f"failed: {request.url}: {request.failure}")

    def _request(self, request) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.complaints.append(f"asks another host: {request.url}")


@pytest.fixture
def visitors(browser, live_server, settings, tmp_path):
    """Visitors of the site; the test fails when a browser complained, be it of the CSP or of a missing file."""
    settings.MEDIA_ROOT = tmp_path / "media"
    cache.clear()
    made = Visitors(browser, live_server.url)
    yield made
    for context in made.contexts:
        context.close()
    assert made.complaints == []


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def visitor(request, visitors):
    """The page of a visitor whose browser runs scripts, and of one whose browser does not."""
    return visitors.new(java_script_enabled=request.param)


@pytest.fixture
def signed_in(visitors):
    """A page on which the user has signed in, as users do."""

    def page_of(user, **options):
        page = visitors.new(**options)
        page.goto("/accounts/login/")
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill("correct horse battery")
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    return page_of


@pytest.fixture
def submitted(live_server, settings, tmp_path, submit, record, resnexts):
    """Results with everything that a page can show: papers, ties, a superseded one, other data, long names."""
    settings.MEDIA_ROOT = tmp_path / "media"
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    Benchmark.objects.filter(pk=benchmark.pk).update(size=IMAGES)
    benchmark.refresh_from_db()
    rows = "".join(f"image-{number},7\n" for number in range(IMAGES))
    set_labels(benchmark, f"id,class_index\n{rows}".encode())
    models = {"ResNeXt-101-32x8d": 79, "ResNeXt-101 64x4": 80, "A_model_whose_name_is_one_long_word_" * 4: 41}
    first = submit(record(samples=20, dataset=None, model="ResNeXt-101-32x8d"), commit="1" * 40)
    made = [_predicted(record, tmp_path, name, right) for name, right in models.items()]
    best = submit(*(row for row, _ in made), files={path.name: path for _, path in made})
    part = record(model="A few images", dataset={"name": "ImageNet", "samples": 20, "size": 50_000, "complete": False})
    return [*best, *submit(part | {"samples": 20}, commit="2" * 40), *first]


def _predicted(record, folder, name, right):
    outputs = np.zeros((IMAGES, 10), np.float32)
    outputs[:, 3] = 1
    outputs[:right, 7] = 2
    builder = PredictionsBuilder(10)
    builder.add([f"image-{number}" for number in range(IMAGES)], outputs)
    path = folder / f"{len(name)}.npz"
    facts = write_predictions(path, builder.finish())
    said = {"name": path.name, "size": facts.size, "sha256": facts.sha256}
    results = {"Top 1 Accuracy": right / IMAGES, "Top 5 Accuracy": 0.95}
    return record(model=name, samples=IMAGES, dataset=None, predictions=said, results=results), path


@pytest.fixture
def secret(ada):
    """ada's private repository, with a long name."""
    return Repository.objects.create(
        host="git.example.org", owner_name="a-group/with-a-subgroup", name="a-private-repository-with-a-long-name",
        owner=ada, is_public=False,
    )  # fmt: skip
