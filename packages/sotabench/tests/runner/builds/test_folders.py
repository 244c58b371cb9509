"""What a hostile repository leaves in folders, and what it finds in them."""

from dataclasses import replace

import pytest

from sotabench.runner.sandbox import remove
from sotabench.server.builds.services import build_push

pytestmark = pytest.mark.django_db(transaction=True)

DEEP = """
place = "{place}"
os.makedirs(place, exist_ok=True)
os.chdir(place)
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
os.chdir("/work/repository")
"""


@pytest.fixture(autouse=True)
def _nothing_deep_is_left(tmp_path):
    yield
    remove(tmp_path)


@pytest.mark.parametrize("place", ["deep", "/work/output/deep", "/work/home/deep"])
def test_folders_three_thousand_deep(nets, say, shop, place):
    ended = nets.push(DEEP.format(place=place) + "call(4)")
    assert ended.status in {"finished", "failed"}, ended.log
    assert not shop.attempt_folder(0).exists()
    say(f"stopped: {ended.build.reason or 'they are removed without one call in another for each'}")
    assert nets.push("call(5)").status == "finished"


def test_folders_three_thousand_deep_in_the_caches(nets, shop, say):
    first = nets.push("call(4)", weights__py="import os\n" + DEEP.format(place="/work/cache/deep"))
    say(f"stopped: {first.build.reason}")
    assert first.status == "failed", first.log
    assert nets.push("call(5)", weights__py="").status == "finished"


def test_code_that_runs_while_packages_are_installed_keeps_the_operators_limits(nets, shop, say):
    small = replace(shop, settings=replace(shop.settings, disk=100 << 20))
    backend = "import time\nfor name in 'ab':\n    open(name, 'wb').write(bytes(75_000_000))\ntime.sleep(60)\n"
    project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    files = {"requirements__txt": "./\n", "pyproject__toml": project, "backend__py": backend}
    build_push(nets.row, commit=nets.commit("call(4)", **files), branch="main")
    ended = nets.work.run(shop=small)
    say(f"stopped: {ended.build.reason}")
    assert ended.status == "failed", ended.log
    assert "its limit is 100 MiB; its cache was emptied" in ended.build.reason


def test_cache_that_an_evaluation_with_network_fills_is_emptied(nets, shop, say):
    nets.row.has_network = True
    nets.row.save()
    small = replace(shop, settings=replace(shop.settings, disk=100 << 20))
    fill = "for name in 'ab':\n    Path('/work/cache', name).write_bytes(bytes(75_000_000))\ntime.sleep(60)"
    build_push(nets.row, commit=nets.commit(f"call(4)\n{fill}"), branch="main")
    first = nets.work.run(shop=small)
    say(f"stopped: {first.build.reason}")
    assert first.status == "failed", first.log
    assert "its cache was emptied: the next build begins without it" in first.build.reason
    build_push(nets.row, commit=nets.commit("print('LEFT', os.listdir('/work/cache'))\ncall(5)"), branch="main")
    second = nets.work.run(shop=small)
    assert second.status == "finished", second.log
    assert "LEFT []" in second.log
