"""Weights come over the network once, before there are data, and are measured from outside."""

import contextlib
import hashlib
import os
import threading
from dataclasses import replace

import pytest

from benchrecord.files import exclusive_lock
from sotabench.errors import Failed
from sotabench.runner.checkout import Tree
from sotabench.runner.egress import Rules
from sotabench.runner.environment import make_environment
from sotabench.runner.evaluation import Data, evaluation_task
from sotabench.runner.sandbox import remove
from sotabench.runner.weights import HOSTS, LIMITS, cache_folder, fetch_weights

WEIGHTS = os.urandom(200_000)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
TREE = Tree(commit="c" * 40, tree="t" * 40, submodules=(), size=1)
FETCH = """
import os, shutil, sys, urllib.request
url = {url!r}
os.makedirs(os.environ["TORCH_HOME"], exist_ok=True)
target = os.path.join(os.environ["TORCH_HOME"], "net.pth")
if not os.path.exists(target):
    with urllib.request.urlopen(url) as answer, open(target + ".partial", "wb") as file:
        shutil.copyfileobj(answer, file)
    shutil.move(target + ".partial", target)
print("check:", os.environ.get("SOTABENCH_CHECK"), "server:", os.environ.get("SOTABENCH_SERVER"))
print("data:", os.path.exists("/work/data"), os.environ.get("SOTABENCH_DATA_ROOT"))
"""


@pytest.fixture
def published(host, certificate, new_workplace, checked_out, store):
    """Fetches, by a file with this text, from a host that publishes WEIGHTS as /net.pth."""
    host.files["/net.pth"] = WEIGHTS
    url = f"https://weights.test:{host.server_port}/net.pth"
    hosts = Rules.of([f"weights.test:{host.server_port}"])
    place = new_workplace("weights", certificates=certificate[0])

    def fetch(text=FETCH, *, tree=TREE, hosts=hosts, **more):
        place = checked_out({"sotabench.py": text.replace("{url!r}", repr(url)), "requirements.txt": ""}, fetch.place)
        return fetch_weights(place, make_environment(place, store), tree, hosts=hosts, **more)

    fetch.url, fetch.place = url, place
    fetch.environment = lambda: make_environment(place, store)
    return fetch


def shown(fetched):
    return [one for one in fetched if one.is_fetched]


@pytest.fixture
def evaluated(log):
    """What a file printed in the evaluation, after its weights were fetched, and whether it came to its end."""

    def run(text, published):
        published(text)
        place = published.place
        log.printed.clear()
        task = evaluation_task(place, published.environment(), Data(), replace(LIMITS, seconds=120))
        outcome = place.sandbox.run(task, output=log.printed.extend, stop=threading.Event())
        return log.printed.decode(), outcome.well

    return run


def test_fetched_file_is_measured_and_its_address_is_what_the_process_said(published, host, log):
    (found,) = published()
    assert (found.url, found.size, found.sha256, found.path) == (published.url, 200_000, SHA256, "torch/net.pth")
    assert (cache_folder(published.place) / "torch/net.pth").read_bytes() == WEIGHTS
    assert "check: params server: true" in log.text
    assert "data: False None" in log.text


def test_same_files_in_the_same_environment_fetch_nothing_and_run_nothing(published, host, log):
    first = published()
    log.printed.clear()
    assert published() == first
    assert log.printed == b""
    assert host.asked.count("/net.pth") == 1


def test_other_files_run_again_and_keep_the_address(published, host):
    first = published()
    assert published(tree=Tree("d" * 40, "u" * 40, (), 1)) == first
    assert host.asked.count("/net.pth") == 1


def test_changed_cache_is_noticed(published):
    published()
    place = cache_folder(published.place) / "torch/net.pth"
    place.write_bytes(b"\0" * 200_000)
    (found,) = published()
    assert found.sha256 == hashlib.sha256(b"\0" * 200_000).hexdigest()
    assert found.url == ""


def test_file_with_its_own_loop_keeps_what_it_fetched(published, log):
    for _ in range(2):
        (found,) = published(FETCH + "\nraise FileNotFoundError('.data/vision/imagenet')\n")
        assert (found.sha256, found.url) == (SHA256, published.url)
    assert log.text.count("normal for a file with its own loop") == 2  # it may have been a host that was silent


def test_host_that_was_silent_is_asked_again_by_the_next_build(published, host):
    content = host.files.pop("/net.pth")
    assert published() == []
    host.files["/net.pth"] = content
    assert [found.sha256 for found in published()] == [SHA256]


def test_file_fetched_into_the_checkout_is_measured_too_and_fetched_anew(published, host):
    text = "import urllib.request\nurllib.request.urlretrieve({url!r}, 'own.pth')\n"
    for _ in range(2):
        (found,) = shown(published(text))
        assert (found.path, found.sha256, found.url) == ("repository/own.pth", SHA256, published.url)
    assert host.asked.count("/net.pth") == 2


def test_file_fetched_into_a_cache_of_its_own_making_is_there_for_the_next_build(published, host):
    text = """
import os, urllib.request
folder = os.path.expanduser("~/.cache/clip")
os.makedirs(folder, exist_ok=True)
if not os.path.exists(folder + "/own.pth"):
    urllib.request.urlretrieve({url!r}, folder + "/own.pth")
"""
    for _ in range(2):
        (found,) = shown(published(text))
        assert (found.path, found.sha256, found.url) == (".cache/clip/own.pth", SHA256, published.url)
    assert host.asked.count("/net.pth") == 1


def test_file_fetched_elsewhere_in_the_home_folder_is_fetched_anew(published, host):
    text = "import os, urllib.request\nurllib.request.urlretrieve({url!r}, os.path.expanduser('~/own.pth'))\n"
    for _ in range(2):
        (found,) = shown(published(text))
        assert (found.path, found.sha256) == ("home/own.pth", SHA256)
    assert host.asked.count("/net.pth") == 2


RETRIEVE = """
import os, urllib.request
from urllib.request import urlretrieve
os.makedirs("nets", exist_ok=True)
print("got", urlretrieve({url!r}, "nets/own.pth")[0], os.path.getsize("nets/own.pth"))
"""


@pytest.mark.parametrize(("folder", "asked"), [("/work/repository", 2), ("/work/home/.cache", 1)])
def test_file_that_is_retrieved_anew_each_time_is_there_without_a_network(published, evaluated, folder, asked, host):
    for _ in range(2):
        printed, well = evaluated(f"import os\nos.chdir({folder!r})\n{RETRIEVE}", published)
        assert well
        assert f"nets/own.pth: there is no network here; it was fetched from {published.url} before\n" in printed
        assert "got nets/own.pth 200000\n" in printed
    assert host.asked.count("/net.pth") == asked


@pytest.mark.parametrize(
    "otherwise",
    [
        RETRIEVE + "if 'SOTABENCH_CHECK' in os.environ: urlretrieve({url!r} + '?other', 'nets/own.pth')",
        RETRIEVE + "if 'SOTABENCH_CHECK' in os.environ: open('nets/own.pth', 'a').write('more')",
        RETRIEVE + "if 'SOTABENCH_CHECK' in os.environ: os.unlink('nets/own.pth')",
        RETRIEVE.replace("{url!r}", "{url!r} if 'SOTABENCH_CHECK' in os.environ else {url!r} + '?other'"),
        RETRIEVE.replace("{url!r}", "{url!r} + '.missing'"),
    ],
)
def test_file_that_may_be_another_is_not_taken_for_the_one_that_was_retrieved(published, evaluated, otherwise, host):
    host.files["/net.pth?other"] = WEIGHTS
    printed, well = evaluated(otherwise, published)
    assert "got nets/own.pth 200000\n" not in printed
    assert not well


def test_host_that_is_not_listed_is_refused(published, host, log, say):
    assert published(hosts=Rules.of(["elsewhere.test"])) == []
    assert host.asked == []
    say("weights from a host that is not listed: stopped by the proxy")


def test_links_and_lies_about_addresses_gain_nothing(published, say):
    text = (
        FETCH
        + """
os.symlink("/etc/passwd", os.environ["TORCH_HOME"] + "/linked.pth")
os.mkfifo(os.environ["TORCH_HOME"] + "/pipe.pth")
os.symlink("/", "outside")
with open(os.environ["SOTABENCH_FETCHES"], "a") as file:
    file.write('{"path": "/work/cache/torch/net.pth", "urls": ["javascript:alert(1)", "https://a:b@evil.test/?s=1"]}\\n')
    file.write('{"path": "/work/repository/outside/etc/passwd", "urls": ["https://evil.test/"]}\\n')
    file.write('{"path": "/work/repository/../../../etc/passwd", "urls": ["https://evil.test/"]}\\n')
    file.write("[" * 100000 + "\\n{}\\nnull\\n")
"""
    )
    outside, linked, found = published(text)
    links = [(one.path, one.is_link, one.is_fetched) for one in (outside, linked)]
    assert links == [("repository/outside", True, False), ("torch/linked.pth", True, False)]
    assert (found.path, found.sha256, found.url) == ("torch/net.pth", SHA256, "https://evil.test/")
    say("links out of the cache: stopped, regular files only; addresses: shown as the process's own word")


def test_too_many_bytes_fail(published):
    small = LIMITS.__class__(**{**vars(LIMITS), "disk": 50_000})
    with pytest.raises(Failed, match="fetching weights"):
        published(FETCH + "\nimport time; time.sleep(30)\n", limits=small)


def test_usual_hosts_of_weights_are_listed():
    for name in (
        "download.pytorch.org",
        "github.com",
        "huggingface.co",
        "cdn-lfs.huggingface.co",
        "cas-bridge.xethub.hf.co",
    ):
        assert HOSTS.allows(name, 443)
    assert not HOSTS.allows("example.org", 443)


def test_name_that_is_no_text_or_more_than_a_line_is_told_as_its_escapes(published, log):
    text = """
import os
for name in (b"\\xff.pth", b"a\\n# finished"):
    with open(os.path.join(os.environ["XDG_CACHE_HOME"].encode(), name), "wb") as file:
        file.write(name + bytes(100_000))
"""
    assert [found.path for found in published(text)] == [r".cache/\udcff.pth", r".cache/a\n# finished"]
    assert not any("\n" in line for line in log.lines)


def test_cache_deeper_than_anybody_needs_is_the_repositorys_fault_and_no_end_of_the_runner(published):
    text = """
import os
os.chdir(os.environ["XDG_CACHE_HOME"])
for _ in range(1500):
    os.mkdir("a")
    os.chdir("a")
"""
    with pytest.raises(Failed, match="at most 500 levels, found more in hidden; its cache was emptied"):
        published(text)
    remove(published.place.kept)  # pytest could not


EMPTIED = "its cache was emptied: the next build begins without it"
MORE = """
import os, time
with open(os.path.join(os.environ["XDG_CACHE_HOME"], "{name}"), "wb") as file:
    file.write(os.urandom(1_000_000))
time.sleep({seconds})
"""


def test_cache_that_grew_over_the_limit_is_emptied_and_the_next_build_goes_on(published):
    limits = replace(LIMITS, disk=2_500_000)
    for name in "ab":
        published(MORE.format(name=name, seconds=0), tree=replace(TREE, tree=name), limits=limits)
    with pytest.raises(Failed, match=f"fetching weights: stopped at .*; {EMPTIED}"):
        published(MORE.format(name="c", seconds=60), tree=replace(TREE, tree="c"), limits=limits)
    found = published(MORE.format(name="c", seconds=0), tree=replace(TREE, tree="d"), limits=limits)
    assert [one.path for one in found] == [".cache/c"]


def test_cache_of_too_many_files_is_emptied_and_the_next_build_goes_on(published):
    text = """
import os
for number in range(20_001):
    open(os.path.join(os.environ["XDG_CACHE_HOME"], str(number)), "w").close()
"""
    with pytest.raises(Failed, match=f"at most 20000 files in the caches, found more; {EMPTIED}"):
        published(text)
    assert [found.sha256 for found in published()] == [SHA256]


def test_whatever_lies_where_the_process_is_to_note_its_fetches_is_no_end_of_the_runner(published, checked_out):
    notes = published.place.facts / "fetches.jsonl" / "of the setup script"
    notes.mkdir(parents=True)
    (found,) = published()
    assert (found.sha256, found.url) == (SHA256, published.url)


HOLES = """
import os
os.truncate(os.open(os.path.join(os.environ["XDG_CACHE_HOME"], "holes"), os.O_CREAT | os.O_WRONLY), 3_000_000)
"""


def test_file_of_more_holes_than_may_be_written_is_not_read_through(published):
    limits = replace(LIMITS, disk=2_500_000)
    with pytest.raises(Failed, match=f"at most 2500000 bytes to be new, holes included, found more; {EMPTIED}"):
        published(HOLES, limits=limits)
    assert [found.sha256 for found in published(limits=limits)] == [SHA256]


def test_file_with_many_names_is_read_once(published):
    text = """
import os
os.chdir(os.environ["XDG_CACHE_HOME"])
with open("0", "wb") as file:
    file.write(bytes(1_000_000))
for number in range(1, 100):
    os.link("0", str(number))
"""
    found = published(text, limits=replace(LIMITS, disk=2_500_000))
    assert [one.sha256 for one in found] == [hashlib.sha256(bytes(1_000_000)).hexdigest()] * 100


def test_build_that_is_stopped_is_not_measured_to_its_end(published):
    fetched = published.place.proxy

    @contextlib.contextmanager
    def stopped_at_its_end(rules):
        with fetched(rules) as network:
            yield network
        if rules.hosts:  # those of weights
            published.place.stop.set()

    published.place = replace(published.place, proxy=stopped_at_its_end)
    with pytest.raises(Failed, match="stopped while what it fetched was measured"):
        published()


def test_build_that_is_stopped_waits_no_longer_for_another_one_of_its_repository(published):
    published.place.kept.mkdir(parents=True)
    with exclusive_lock(published.place.kept / "weights.lock"):
        threading.Timer(1.0, published.place.stop.set).start()
        with pytest.raises(Failed, match="stopped while it waited for another build"):
            published()
