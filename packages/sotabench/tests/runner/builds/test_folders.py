"""What a hostile repository leaves in folders, and what it finds in them."""

import pytest

from sotabench.runner.sandbox import remove

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
