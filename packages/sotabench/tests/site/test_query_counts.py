"""Every page, and every list that programs read, costs as many queries with much in it as with little."""

from dataclasses import dataclass, field

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from sotabench.server.accounts.services import create_token
from sotabench.server.api import v0, v1
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.services import add_benchmark
from sotabench.server.builds import leases
from sotabench.server.builds.services import build_push
from sotabench.server.datasets.models import Dataset, Upload
from sotabench.server.papers.models import Paper, ReportedFigure, ReportedResult
from sotabench.server.repositories.models import Repository
from sotabench.server.web.urls import urlpatterns

SLUG = "image-classification-on-imagenet"
BOARD = f"/benchmarks/{SLUG}"
PAPER = "aggregated-residual-transformations-for-deep-neural-networks"
REPOSITORY = "/user/ada/repos/pytorch/vision"

SIGNED_OUT = {
    "/": 10,
    "/robots.txt": 0,
    "/favicon.ico": 0,
    "/benchmarks": 3,
    BOARD: 11,
    f"{BOARD}?sort=parameters&c=speed&c=macs&c=date&c=extra&page=99": 11,
    f"{BOARD}?sort=m1&order=up&tier=self-reported": 11,
    f"{BOARD}?sort=model&q=resnext": 10,
    f"{BOARD}?q=nothing+like+it": 3,
    f"{BOARD}?tab=papers": 5,
    f"{BOARD}?tab=papers&sort=m1&q=resnext": 5,
    f"{BOARD}?tab=plot": 4,
    f"{BOARD}?tab=plot&x=year": 5,
    f"/paper/{PAPER}": 15,
    "/user/ada": 3,
    REPOSITORY: 11,
    "/builds/pytorch/vision/1": 6,
    "/builds/pytorch/vision/2": 14,
    "/builds/pytorch/vision/1/log": 4,
    "/builds/pytorch/vision/1/log.txt": 4,
    "/results/{result}": 12,
    "/results/{result}/record.json": 2,
    "/results/{result}/compare?with={other}": 4,
}
SIGNED_IN = {
    "/": 12,
    BOARD: 13,
    REPOSITORY: 13,
    "/settings/tokens": 4,
    "/settings/repositories": 3,
    "/settings/repositories/a/b/proof": 3,
    "/settings/repositories/pytorch/vision/settings": 9,
}
V1, V0 = "/api/v1", "/api/v0"
PROGRAMS = {
    f"{V1}/benchmarks": 3,
    f"{V1}/benchmarks/{SLUG}": 2,
    f"{V1}/benchmarks/{SLUG}/results": 12,
    f"{V1}/benchmarks/{SLUG}/results?search=resnext&offset=1": 11,
    f"{V1}/benchmarks/{SLUG}/reported": 5,
    f"{V1}/papers": 2,
    f"{V1}/papers/{PAPER}": 1,
    f"{V1}/papers/{PAPER}/reported": 4,
    f"{V1}/papers/{PAPER}/results": 11,
    f"{V1}/repositories": 2,
    f"{V1}/repositories/{{repository}}": 1,
    f"{V1}/repositories/{{repository}}/results": 11,
    f"{V1}/repositories/{{repository}}/builds": 3,
    f"{V1}/repositories/{{repository}}/builds/2": 2,
    f"{V1}/repositories/{{repository}}/builds/2/results": 12,
    f"{V1}/repositories/{{repository}}/builds/1/log": 4,
    f"{V1}/repositories/{{repository}}/datasets": 3,
    f"{V1}/repositories/{{repository}}/datasets?path=data-0": 4,
    f"{V1}/results/{{result}}": 8,
    f"{V1}/results/{{result}}/history": 4,
    f"{V1}/results/{{result}}/compare?other={{other}}": 4,
    f"{V1}/benchmarks/{SLUG}/ties": 4,
    f"{V1}/benchmarks/{SLUG}/plot": 4,
    f"{V1}/benchmarks/{SLUG}/plot?against=year": 5,
    f"{V1}/users/ada": 2,
    f"{V1}/users/ada/repositories": 3,
    f"{V0}/repositories/": 1,
    f"{V0}/repositories/ada/": 1,
    f"{V0}/repositories/pytorch/vision/": 1,
    f"{V0}/repositories/pytorch/vision/datasets/": 2,
    f"{V0}/builds/pytorch/vision/": 2,
    f"{V0}/builds/pytorch/vision/2/": 2,
    f"{V0}/benchmarks/": 2,
    f"{V0}/benchmarks/{SLUG}/": 2,
    f"{V0}/badge/gh/pytorch/vision": 4,
    f"{V0}/badge/github.com/pytorch/vision": 4,
    f"{V0}/check/get_results_by_hash/?run_hash=a": 0,
}
WITH_TOKEN = {f"{V1}/repositories/{{repository}}/connection": 5}


@dataclass
class Site:
    """A site that grows; `facts` are the keys that addresses name."""

    submit: object
    record: object
    owner: object
    vision: Repository
    facts: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def grow(self, many):
        """Add so many of everything that a page may list."""
        if not self.size:
            build_push(self.vision, commit="a" * 40, branch="main")
            running = leases.claim(leases.create_runner("here")[0], slot=0)
            self.attempt = running.token
        names = [f"ResNeXt-101 64x{4 + self.size + number}" for number in range(many)]
        made = self.submit(*map(self._named, [*names, f"Other {self.size}"]))
        self.facts = self.facts or {"result": made[0].pk, "other": made[-1].pk, "repository": self.vision.pk}
        build = Result.objects.get(pk=self.facts["result"]).build
        Result.objects.filter(pk__in=[result.pk for result in made]).update(build=build)
        for number in range(self.size, self.size + many):
            leases.append_log(self.attempt, number, f"line {number}")
            self.submit(self._named("superseded again and again"))
            self._grow_beside(number)
        self.size += many

    def _named(self, name):
        return self.record(model=name, model_facts={"parameters": 1000 + len(name)})

    def _grow_beside(self, number):
        for is_public in (True, False):
            facts = {"host": "github.com", "owner_name": f"ada-{is_public}", "name": f"other-{number}"}
            Repository.objects.create(owner=self.owner, is_public=is_public, **facts)
        add_benchmark("Image Classification", f"Data {number}", metrics=["Top 1 Accuracy", "Loss"])
        create_token(self.owner, name=f"token {number}")
        facts = {"repository": self.vision, "path": f".data/data-{number}", "size": 1, "sha256": f"{number:064x}"}
        upload = Upload.objects.create(user=self.owner, part_size=1, part_number=1, state="finished", **facts)
        Dataset.objects.create(upload=upload, **facts)
        paper = Paper.objects.get(slug=PAPER)
        names = {"model_name": f"ResNeXt-{number}", "model_key": f"resnext{number}", "architecture_key": "resnext"}
        for reporter in ("paper", "catalogue"):
            row = ReportedResult.objects.create(
                reporter=reporter, catalogue=reporter, paper=paper, task="Image Classification", dataset="ImageNet",
                benchmark=SLUG, parameters=7, rank_value=0.5, **names,
            )  # fmt: skip
            ReportedFigure.objects.create(result=row, metric="Top 1 Accuracy", text="50", value=0.5, step=0.1)
        Paper.objects.create(title=f"Paper {number}", slug=f"paper-{number}")


@pytest.fixture
def site(submit, record, ada, vision, resnexts, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return Site(submit, record, ada, vision)


def queries_of(client, addresses, facts):
    """How many queries each address costs now."""
    found = {}
    for address in addresses:
        cache.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = client.get(address.format(**facts))
        assert answer.status_code == (302 if address == "/favicon.ico" else 200), (address, answer.content[:300])
        found[address] = len(queries)
    return found


@pytest.mark.parametrize("name", ["SIGNED_OUT", "SIGNED_IN", "PROGRAMS", "WITH_TOKEN"])
def test_pages_cost_as_many_queries_with_much_in_them_as_with_little(site, ada, name):
    expected, client = globals()[name], Client()
    if name == "SIGNED_IN":
        client.force_login(ada)
    if name == "WITH_TOKEN":
        client = Client(headers={"Authorization": f"Bearer {create_token(ada, name='counted')[1]}"})
        client.get(f"{V1}/benchmarks")  # the first use of a token is written down
    site.grow(2)
    assert queries_of(client, expected, site.facts) == expected
    site.grow(12)
    assert queries_of(client, expected, site.facts) == expected


def test_every_page_of_the_site_has_its_number(client, ada):
    addresses = [address.format(result=1, other=2).partition("?")[0] for address in [*SIGNED_OUT, *SIGNED_IN]]
    counted = {resolve(address).url_name for address in addresses}
    client.force_login(ada)
    for pattern in urlpatterns:
        if pattern.name not in counted:
            address = "/" + str(pattern.pattern).replace("<path:identity>", "a/b").replace("<int:key>", "1")
            address = address.replace("<slug:what>", "webhook")
            answer = client.get(address.replace("<int:number>", "1"))
            assert answer.status_code == 405, f"count the queries of {pattern.name}: it answers with a page"


@pytest.mark.parametrize(("api", "root"), [(v1.api, V1), (v0.api, V0)], ids=["v1", "v0"])
def test_every_call_that_reads_has_its_number(api, root):
    paths = api.get_openapi_schema(path_prefix=f"{root}/")["paths"]
    counted = {
        str(resolve(address.format(repository=1, result=1, other=2).partition("?")[0]).route)
        for address in PROGRAMS | WITH_TOKEN
    }
    reading = {path for path, calls in paths.items() if "get" in calls}
    assert len(reading) > 5
    routes = {route_of(path) for path in reading}
    assert routes <= counted, f"count the queries of {sorted(routes - counted)}"


def route_of(path):
    """The route that answers a path of the API's description."""
    filled = "/".join("1" if part.startswith("{") else part for part in path.split("/"))
    return str(resolve(filled).route)
