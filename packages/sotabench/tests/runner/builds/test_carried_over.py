"""What was measured under other code, by another way or under other conditions is carried over into no build."""

import hashlib
import json
import os
from dataclasses import replace

import pytest

from sotabench.runner.sandbox import Slot, Trusted
from sotabench.server.builds.services import build_now, build_push

pytestmark = pytest.mark.django_db(transaction=True)

ONCE = 'call(40 if late.exists() and "40" in late.read_text() else 4)'


def test_same_tree_is_carried_over_when_nothing_else_differs(nets):
    first = nets.push("call(40)")
    second = nets.push("call(40)")
    assert (first.status, second.status) == ("finished", "finished"), second.log
    assert second.results[0].carried_from == first.results[0], second.log


LEFT = {
    "in the checkout": "late = Path('late.py')",
    "in the cache, too small to be weights": "late = Path('/work/cache/late.py')",
    "in the cache that nobody names": "late = Path.home() / '.cache' / 'late.py'",
    "in the home folder": "late = Path.home() / 'late.py'",
}


@pytest.mark.parametrize("place", LEFT.values(), ids=LEFT)
def test_code_that_the_network_gave_and_gives_no_more(nets, say, place, shop):
    """The stage that fetches weights stands for the network: what it gets differs from one time to the next."""
    late = f"from pathlib import Path\n{place}\nlate.write_text(f'RIGHT = 40  # {{time.time_ns()}}')"
    text = f"{place}\n{ONCE}"
    first = nets.push(text, weights__py=late)
    assert first.results[0].rank_value == 1.0, first.log
    for file in shop.settings.folder.rglob("weights.json"):
        file.unlink()  # as another tree's build or a sweep may bring about: the file runs again
    second = nets.push(text, weights__py=late)
    say("stopped: all that a file leaves behind while it fetches its weights is among what its results depend on")
    assert second.results[0].carried_from is None, second.log
    assert second.build.inputs_key != first.build.inputs_key


def test_setup_script_that_fetches_other_code_each_time(nets, say):
    script = "date +%N > late.py; echo RIGHT = 40 >> late.py\n"
    text = f"late = Path('late.py')\n{ONCE}"
    first = nets.push(text, sotabench_setup__sh=script)
    second = nets.push(text, sotabench_setup__sh=script)
    say("stopped: where a repository's own code installs, nothing is carried into another build")
    assert first.results[0].rank_value == 1.0, first.log
    assert second.results[0].carried_from is None, second.log


def test_weights_exchanged_under_their_size_and_time(nets, say, shop):
    """A record names the digest of the weights that are there, not of those that were once measured."""
    fetch = (
        "from pathlib import Path\nplace = Path('/work/cache/net.pth')\n"
        "place.write_bytes({content} * 100_000); os.utime(place, ns=(10**18, 10**18))"
    )
    first = nets.push("call(4)", weights__py=fetch.format(content="b'1'"))
    second = nets.push("call(5)", weights__py=fetch.format(content="b'2'"))
    told = [json.loads(one.results[0].record)["weights"][0]["sha256"] for one in (first, second)]
    say("stopped: the time of a file's last change cannot be set; its content is measured again")
    assert told == [hashlib.sha256(one * 100_000).hexdigest() for one in (b"1", b"2")]


def test_link_in_the_cache_turned_to_another_file(nets):
    turn = """
from pathlib import Path
place = Path("/work/cache")
for name in "ab":
    (place / name).touch()
(place / "c").unlink(missing_ok=True)
(place / "c").symlink_to("{to}")
"""
    first, second = (nets.push("call(4)", weights__py=turn.format(to=to)) for to in "ab")
    assert first.build.inputs["left_behind"] != second.build.inputs["left_behind"]


def test_preview_on_a_branch_ranks_nowhere_until_the_same_tree_is_pushed(nets, ada, say):
    commit = nets.commit("call(40)")
    nets.git("branch", "try")
    build_now(ada, nets.row, commit=commit, branch="try", is_preview=True)
    preview = nets.work.run()
    assert (preview.status, preview.results[0].rank_value) == ("finished", None), preview.log
    pushed = nets.push("call(40)")
    say("not stopped, and no gain: what is carried over from a preview was measured on this very tree; it says so")
    assert (pushed.results[0].rank_value, pushed.results[0].carried_from) == (1.0, preview.results[0]), pushed.log
    assert nets.push("call(4)").results[0].carried_from is None


def test_result_that_was_measured_with_network(nets, say, ada):
    nets.row.has_network = True
    nets.row.save()
    first = nets.push("call(40)")
    nets.row.has_network = False
    nets.row.save()
    second = nets.push("call(40)")
    say("stopped: whether there was a network is among what a result depends on")
    assert (first.status, second.results[0].carried_from) == ("finished", None), first.log


def test_result_that_was_measured_without_a_sandbox(nets, say, shop):
    slot = Slot(0, os.geteuid(), os.getegid())
    trusting = replace(shop, is_trusting=True, sandboxes={0: Trusted(slot)}, slots={0: slot})
    build_push(nets.row, commit=nets.commit("call(4)"), branch="main")
    first = nets.work.run(shop=trusting)
    second = nets.push("call(4)")
    say("stopped: so is the sandbox")
    assert (first.status, second.results[0].carried_from) == ("finished", None), first.log


def test_submodule_that_was_moved(nets, repository, say):
    part = repository("part")
    ones = [part.commit(other__txt=text) for text in "ab"]
    nets.commit("call(4)")
    found = []
    for one in ones:
        nets.git("update-index", "--add", "--cacheinfo", f"160000,{one},part")
        nets.git("commit", "--quiet", "-m", "a submodule")
        found.append(nets.git("rev-parse", "HEAD^{tree}"))
    say("stopped: git's name of the tree holds the commit of every submodule")
    assert found[0] != found[1]


def test_cache_of_another_repository(nets, repository, say, shop):
    nets.push("call(4)", weights__py="from pathlib import Path\nPath('/work/cache/late.py').write_text('RIGHT = 40')")
    other = repository("others")
    ended = other.push(f"late = Path('/work/cache/late.py')\n{ONCE}")
    caches = list(shop.settings.folder.glob("repositories/*"))
    say(f"stopped: each repository has a cache of its own; here are {len(caches)}")
    assert ended.results[0].rank_value == 0.1, ended.log
