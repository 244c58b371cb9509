"""What a hostile repository prints, calls itself and never ends; pages and `sb build log` stay harmless."""

import hashlib
import json
import threading
from dataclasses import replace

import pytest
from django.test import Client

from sotabench.runner.log import MOST_OUTPUT
from sotabench.server.benchmarks.models import DataCopy
from sotabench.server.builds.models import Attempt
from sotabench.server.builds.services import build_now, build_push
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset
from sotabench.server.web.addresses import build_url

pytestmark = pytest.mark.django_db(transaction=True)

BAD = ("<script>alert", "<img src=x", "\x1b", "\x07", "\u202e", "\u2066", "\x00", "\ufffe")
WORDS = """
words = b"</pre><script>alert(1)</script><img src=x onerror=alert(1)>"
words += b"\\x1b[2J\\x1b]0;owned\\x07"
words += b" \\xe2\\x80\\xae\\xe2\\x81\\xa6 NUL \\x00 half \\xff\\xfe\\xed\\xa0\\x80 \\x9b31m\\r\\n"
os.write(1, words * 3)
"""


def pages_of(ended):
    page = build_url(ended.build)
    key = ended.build.repository_id
    for address in (
        page,
        f"{page}/log",
        f"{page}/log.txt",
        f"/api/v1/repositories/{key}/builds/{ended.build.number}/log",
    ):
        yield address, Client().get(address, follow=True)


def test_output_of_every_kind_is_harmless_wherever_it_is_read(nets, say):
    ended = nets.push(WORDS + 'call(4, name="<script>alert(2)</script>\\x1b[31m\\u202e")')
    assert ended.status == "finished", ended.log
    for address, answer in pages_of(ended):
        assert answer.status_code == 200, address
        text = b"".join(answer) if answer.streaming else answer.content
        shown = text.decode()
        bad = BAD if "html" in answer["Content-Type"] else BAD[2:]
        assert not [word for word in bad if word in shown], address
        assert answer["X-Content-Type-Options"] == "nosniff"
    say("stopped by harmless() on the runner and on the site, by escaping on the page, by nosniff elsewhere")


def test_a_gigabyte_without_a_line_end(nets, say):
    text = "block = b'x' * (1 << 20)\nfor _ in range(1000):\n    os.write(1, block)\n"
    ended = nets.push(text + "call(4)")
    kept = sum(Attempt.objects.filter(build=ended.build).values_list("log_size", flat=True))
    say(f"stopped: {kept} characters are kept of a gigabyte, and the build goes on: {ended.status}")
    assert ended.status == "finished", ended.log[-500:]
    assert kept < MOST_OUTPUT
    assert "the log is cut here" in ended.log


def test_setup_script_and_evaluation_that_never_end(nets, say, shop, monkeypatch):
    soon = replace(shop, settings=replace(shop.settings, seconds=2.0))
    text = "import signal\nfor n in range(1, 32):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
    text += "    except OSError:\n        pass\ncall(4)\nwhile True:\n    time.sleep(1)\n"
    build_push(nets.row, commit=nets.commit(text), branch="main")
    ended = nets.work.run(shop=soon)
    say(f"stopped: {ended.build.reason}")
    assert (ended.status, len(ended.results)) == ("failed", 1), ended.log
    assert "its limit is 2 s" in ended.build.reason


def test_setup_script_that_never_ends_and_ignores_signals_is_cancelled(nets, say, until):
    script = "trap '' TERM INT HUP\necho begun\nwhile :; do sleep 1; done\n"
    build_push(nets.row, commit=nets.commit("call(4)", sotabench_setup__sh=script), branch="main")
    stop = threading.Thread(target=lambda: (until(begun), nets.work.signals.stop.set()))

    def begun():
        return Attempt.objects.filter(log__text__contains="begun").exists()

    stop.start()
    ended = nets.work.run()
    stop.join()
    nets.work.signals.stop.clear()
    say(f"stopped: {ended.build.reason}; besides, every stage has a limit of time")
    assert "the runner was stopped" in ended.build.reason


@pytest.mark.parametrize("branch", ["a;touch${IFS}x", "$(touch-x)", "`x`", "a'b\"c", "--upload-pack=x", "a b", "../x"])
def test_branch_with_the_shells_signs(nets, ada, say, branch):
    commit = nets.commit("call(4)")
    try:
        nets.git("branch", "--", branch)
    except Exception:  # noqa: BLE001 - git itself takes no such name
        say(f"git makes no branch {branch!r}")
    build_now(ada, nets.row, commit=commit, branch=branch, is_preview=True)
    ended = nets.work.run()
    say(f"{branch!r}: {ended.status} {ended.build.reason}")
    assert ended.status in {"finished", "failed"}
    assert not (nets.folder / "x").exists()


def test_repository_named_with_markup(repository, say):
    evil = repository("x")
    evil.row.name = evil.row.owner_name = "<b>\u202e\x1b[31m"
    type(evil.row).objects.filter(pk=evil.row.pk).update(name=evil.row.name, owner_name=evil.row.owner_name)
    ended = evil.push("call(4)")
    assert ended.status == "finished", ended.log
    page = Client().get(f"/results/{ended.results[0].pk}").content.decode()
    assert not [word for word in ("<b>\u202e", "\x1b", "\u202e") if word in page]
    say("stopped: no host has such a name, so none is taken; were one there, it is shown as its escapes")


def test_log_and_results_of_a_private_repository(nets, bob, say):
    nets.row.is_public = False
    nets.row.save()
    ended = nets.push("print('a secret word')\ncall(4)")
    assert ended.status == "finished", ended.log
    other = Client()
    other.force_login(bob)
    result = ended.results[0].pk
    addresses = [address for address, _ in pages_of(ended)]
    addresses += [f"/results/{result}", f"/results/{result}/record.json", f"/api/v1/results/{result}"]
    addresses += [f"/api/v1/repositories/{nets.row.pk}/builds/1/results", f"/api/v1/repositories/{nets.row.pk}/builds"]
    for address in addresses:
        for client in (Client(), other):
            answer = client.get(address)
            assert answer.status_code in {302, 401, 403, 404}, address
    say(f"stopped: {len(addresses)} addresses say that there is nothing")


LONG = "/".join(["a" * 100, "b" * 100, "c" * 100])  # longer than a key of a record may be


def test_long_path_of_an_upload_is_among_the_inputs_and_no_reason_to_refuse_a_result(nets, ada, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    path, sha256 = f".data/{LONG}.csv", hashlib.sha256(b"data").hexdigest()
    upload = nets.row.uploads.create(
        user=ada, path=path, size=4, sha256=sha256, part_size=4, part_number=1, state="finished"
    )
    Dataset.objects.create(repository=nets.row, upload=upload, path=path, size=4, sha256=sha256)
    kept_file(nets.row.pk, sha256).parent.mkdir(parents=True)
    kept_file(nets.row.pk, sha256).write_bytes(b"data")
    ended = nets.push(f"print('UPLOAD', Path('{path}').read_text() if EVALUATING else '')\ncall(4)")
    assert ended.status == "finished", ended.log
    assert "UPLOAD data" in ended.log
    assert ended.build.inputs["files"] == [f"{sha256} {path}"]


def test_long_path_of_a_submodule_is_among_the_inputs_and_no_reason_to_refuse_a_result(nets):
    inner = nets.commit("call(4)")
    (nets.folder / ".gitmodules").write_text(f'[submodule "part"]\n\tpath = {LONG}\n\turl = /work/source\n')
    nets.git("add", ".gitmodules")
    nets.git("update-index", "--add", "--cacheinfo", f"160000,{inner},{LONG}")
    nets.git("commit", "--quiet", "-m", "a submodule")
    build_push(nets.row, commit=nets.git("rev-parse", "HEAD"), branch="main")
    ended = nets.work.run()
    assert ended.status == "finished", ended.log
    assert ended.build.inputs["submodules"] == [f"{inner} {LONG}"]


def test_long_names_of_weights_that_are_no_text_are_cut_and_no_reason_to_refuse_a_result(nets):
    fetch = """
import os
place = b"/work/cache" + 15 * (b"/" + 250 * b"\\xff")
os.makedirs(place)
for name in (b"a", b"b"):
    with open(place + b"/" + name, "wb") as file:
        file.write(name * 100_000)
"""
    ended = nets.push("call(4)", weights__py=fetch)
    assert ended.status == "finished", ended.log
    lines = ended.build.inputs["weights"]
    assert len(set(lines)) == 2
    assert max(map(len, lines)) <= 4000


def test_more_names_of_weights_than_the_site_takes_are_cut_and_no_fault_of_the_runner(nets):
    fetch = """
place = "/work/cache" + 15 * ("/" + 240 * "w")
os.makedirs(place)
with open(place + "/1000", "wb") as file:
    file.write(bytes(70_000))
for number in range(1001, 2300):
    os.link(place + "/1000", place + f"/{number}")
"""
    ended = nets.push("call(4)", weights__py=fetch)
    assert ended.status == "finished", ended.log[-3000:]
    lines = ended.build.inputs["weights"]
    assert lines[-1].startswith(f"... and {1300 - len(lines) + 1} more; sha256 of all ")
    assert sum(map(len, lines)) < 1 << 20
    told = json.loads(ended.results[0].record)["weights"]
    assert told[-1]["path"] == f"... and {1300 - len(told) + 1} more, all together"
    assert sum(one["size"] for one in told) == 1300 * 70_000


PACKAGE = """
import glob, os
(place,) = glob.glob("/work/environment/lib/python3*/site-packages")
os.mkdir(f"{place}/long-1.0.dist-info")
with open(f"{place}/long-1.0.dist-info/METADATA", "w") as file:
    file.write("Metadata-Version: 2.1\\nName: long\\nVersion: 1.0\\n")
with open(f"{place}/long-1.0.dist-info/direct_url.json", "w") as file:
    file.write('{"url": "https://host.test/' + "x" * 30_000 + '", "archive_info": {}}')
"""


def test_package_with_words_that_no_record_holds_is_refused_before_anything_is_evaluated(nets):
    ended = nets.push("call(4)", sotabench_setup__sh="python long.py\n", long__py=PACKAGE)
    assert ended.status == "failed", ended.log
    assert "what is installed in lines of at most 2000 printable characters" in ended.build.reason
    assert "evaluating" not in ended.log


def test_build_that_fails_for_want_of_images_says_that_the_site_has_none(nets):
    stopped = 'sys.exit("no images")'
    assert "datasets add" not in nets.push(stopped).build.reason
    DataCopy.objects.all().delete()
    ended = nets.push(stopped)
    assert ended.status == "failed"
    assert "it had no images: this site has none yet" in ended.build.reason
    assert "evaluating, without images" in ended.log
