"""What a hostile `sotabench.py` writes in the place of what benchmark() would; each prints what stopped it."""

import contextlib
import json
import threading

import pytest

from sotabench.server.benchmarks.models import Result

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "a" * 64


def test_numbers_written_straight_into_the_results_file(nets, say):
    ended = nets.push('call(4, results={"Top 1 Accuracy": 1.0, "Top 5 Accuracy": 1.0}, scored=40, tier="verified")')
    (result,) = ended.results
    say(f"stopped: it wrote 1.0, this site counted {result.rank_value}")
    assert (ended.status, result.rank_value) == ("finished", 0.1), ended.log


BOMB = """
import zipfile, hashlib
record, place = answer(40), FILE.with_name("p.npz")
with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("ids.npy", bytes(1 << 28))
content = place.read_bytes()
record["predictions"] |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
store([record])
"""
REFUSED = {
    "constant target_transform": ("call(40, target_map=[7] * 1000)", "target_map"),
    "two classes joined": ("call(40, target_map=[*range(999), 0])", "target_map"),
    "images by other numbers": ("call(40, ids=[f'ILSVRC2012_val_{k + 2:08d}' for k in range(40)])", "other images"),
    "an image is missing": ("call(39, ids=NAMES[:-1])", "1 missing"),
    "an image of no set": ("call(40, ids=[*NAMES, 'one-more'])", "1 of other images"),
    "another benchmark": ("call(40, dataset_name='CIFAR-10')", "whose images this site has"),
    "another commit": ("call(40, environment={'git': {'commit': 'f' * 40}})", "expected one of commit"),
    "a check that evaluates nothing": ("call(40, check='full')", "one of a check"),
    "deep JSON": ("FILE.write_text('[' * 100_000)", "at most 16 deep"),
    "no JSON": ("FILE.write_bytes(bytes(range(256)))", "JSON in UTF-8"),
    "a link out": ("FILE.symlink_to('/etc/passwd')", "symbolic link"),
    "a FIFO": ("os.mkfifo(FILE)", "a FIFO"),
    "a sparse terabyte": ("FILE.touch(); os.truncate(FILE, 1 << 29)", "expected at most"),
    "10,000 records": ("store([answer(40)] * 10_000)", "records"),
    "predictions with a second name": (
        "one = answer(40); os.link(FILE.with_name('p.npz'), FILE.with_name('q.npz')); store([one])",
        "2 hard links",
    ),
    "a bomb": (BOMB, "predictions"),
    "a call that was never scored is claimed to be": (
        f"call(40, carried_over=True, call_key='{KEY}', predictions=None); ",
        "scored before",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "word"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_record_of_this_build_fails_it_and_leaves_nothing(nets, say, text, word):
    ended = nets.push(text)
    say(f"stopped: {ended.build.reason}")
    assert (ended.status, ended.results) == ("failed", []), ended.log
    assert word in ended.build.reason
    assert ended.build.reason.isprintable()


REPLAY = """
kept = Path("/work/cache/kept")
if kept.exists():
    for path in kept.iterdir():
        (FILE.parent / path.name).write_bytes(path.read_bytes())
else:
    call(40, "Honest")
"""


def test_records_and_predictions_of_an_earlier_run(nets, say, shop):
    """What was predicted once can be brought along: for the same images it is what it is, and counted anew."""
    first = nets.push(REPLAY)
    assert first.status == "finished", first.log
    kept = shop.settings.folder / "repositories" / str(nets.row.pk) / "weights" / "kept"
    assert not kept.exists()
    second = nets.push(REPLAY.replace("40", "4"), other__txt="changed")
    say("stopped: a build leaves nothing to the next one, for its cache is read-only while it has data; "
        f"it was counted anew: {second.results[0].rank_value}")  # fmt: skip
    assert second.results[0].rank_value == 0.1
    assert not list(shop.settings.folder.glob("slots/*")), "nothing is left of a build"


def test_cache_cannot_be_written_while_there_are_data(nets):
    ended = nets.push(
        'call(4)\nfor place in ("/work/cache", "/work/home/.cache"):\n'
        '    try:\n        Path(place, "kept").mkdir()\n        print("WRITTEN", place)\n'
        "    except OSError as error:\n        print(place, error.strerror)\n"
    )
    assert ended.log.count("Read-only file system") == 2, ended.log


REWRITES = {
    "nothing is left": "store([])",
    "another record in the first one's place": "store([answer(40, 'Better', 'b.npz')])",
    "the other way round": "store([answer(40, 'Better', 'b.npz'), written[0]])",
    "the same one ten times": "store(written * 10)",
    "a file that is none": "FILE.write_text('{')",
}
SCORED = """
call(4, "Real")
while not Path("/work/output/seen").exists():
    time.sleep(0.05)
"""


@pytest.mark.parametrize("text", REWRITES.values(), ids=REWRITES)
def test_records_rewritten_after_they_were_scored(nets, say, text, shop, until):
    """The collector has seen one record: that one's result stays, whatever takes its place."""

    def tell():
        with contextlib.suppress(AssertionError):
            until(Result.objects.exists)
        (shop.attempt_folder(0) / "output" / "seen").touch()

    thread = threading.Thread(target=tell)
    thread.start()
    ended = nets.push(SCORED + text)
    thread.join()
    say(f"stopped: {[(one.model_name, one.rank_value) for one in ended.results]}, {ended.build.reason or 'finished'}")
    assert [one.model_name for one in ended.results][:1] == ["Real"], ended.log
    assert [one.rank_value for one in ended.results if one.model_name == "Real"] == [0.1], ended.log


def test_bad_result_behind_the_key_of_a_good_one(nets, say):
    ended = nets.push(f'call(40, "Good", call_key="{KEY}")\ncall(1, "Bad", call_key="{KEY}")')
    say("not stopped, and no gain: a call that is not to be published need not be made; this build has one result")
    assert [(one.model_name, one.rank_value) for one in ended.results] == [("Good", 1.0)], ended.log


def test_calls_claimed_to_be_done_by_a_list_of_ones_own(nets, say):
    ended = nets.push(
        f'call(4, "Real")\nprint("told:", os.environ.get("SOTABENCH_DONE"))\n'
        f'Path("/work/output/done.json").write_text(json.dumps(["{KEY}"]))\n'
        f'written.append({{"format": 1, "task": "Image Classification", "dataset_name": "ImageNet", "model": "Forged",'
        f' "results": {{}}, "carried_over": True, "call_key": "{KEY}"}})\nstore(written)'
    )
    say(f"stopped: {ended.build.reason}")
    assert (ended.status, [one.model_name for one in ended.results]) == ("failed", ["Real"])
    assert "scored before" in ended.build.reason


def test_what_the_runner_knows_takes_the_place_of_what_is_written(nets):
    ended = nets.push('call(4, weights=[{"url": "https://example.org/x", "size": 1, "sha256": "0" * 64}], platform={})')
    assert ended.status == "finished", ended.log
    record = json.loads(ended.results[0].record)
    assert record["weights"] == []
