"""What the pages show beside a result, for programs: ranks, verdicts, catalogues, ties, history, plots."""

import pytest

from sotabench.server.papers.models import Paper

IMAGENET = "/api/v1/benchmarks/image-classification-on-imagenet"


@pytest.fixture(autouse=True)
def _files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def get(stranger):
    """The answer to a stranger, which has to be there."""

    def answer(path):
        status, found = stranger.ask("GET", path)
        assert status == 200, found
        return found

    return answer


def test_known_example_gets_the_honest_answer(get, submit, record, resnexts):
    (result,) = submit(record())
    found = get(f"/api/v1/results/{result.pk}")
    beside = found["beside"]
    assert (found["rank"], beside["match"], beside["holds"]) == (1, "model_not_reported", False)
    assert beside["paper"] == Paper.objects.get(arxiv_id="1611.05431").slug
    assert beside["reported_models"] == ["ResNeXt-101 64x4"]
    assert (beside["published"], beside["candidates"], beside["comparisons"]) == (None, [], [])
    torchvision = beside["catalogues"][0]
    assert (torchvision["row"]["catalogue"], torchvision["row"]["model_name"]) == (
        "torchvision", "resnext101_32x8d IMAGENET1K_V1",
    )  # fmt: skip
    first = torchvision["comparisons"][0]
    assert (first["published"], first["difference"], first["verdict"]) == (0.79312, 0.0, "reproduces")
    assert first["low"] < first["measured"] < first["high"]


@pytest.mark.parametrize(("top_1", "verdict"), [(0.809, "reproduces"), (0.82, "better"), (0.79, "falls short")])
def test_every_metric_stands_beside_the_paper_s(get, submit, record, resnexts, top_1, verdict):
    results = {"Top 1 Accuracy": top_1, "Top 5 Accuracy": 0.956}
    (result,) = submit(record(model="ResNeXt-101 64x4", results=results))
    for beside in (
        get(f"/api/v1/results/{result.pk}")["beside"],
        get(f"{IMAGENET}/results")["items"][0]["beside"],
        get(f"/api/v1/repositories/{result.repository_id}/results")["items"][0]["beside"],
    ):
        first, second = beside["comparisons"]
        assert (beside["match"], beside["by"], beside["published_name"]) == ("matched", "paper", "ResNeXt-101 64x4")
        assert (first["metric"], first["verdict"], first["published"]) == ("Top 1 Accuracy", verdict, 0.809)
        assert first["difference"] == pytest.approx(top_1 - 0.809)
        assert second["verdict"] == "reproduces"
        assert beside["holds"] is (verdict != "falls short")


def test_part_of_the_data_says_why_it_is_not_comparable(get, submit, record, resnexts):
    part = {"name": "ImageNet", "samples": 20, "size": 50_000, "complete": False}
    (result,) = submit(record(samples=20, dataset=part, paper_results={"Top 1 Accuracy": 0.8}))
    beside = get(f"/api/v1/results/{result.pk}")["beside"]
    assert beside["by"] == "author"
    (comparison,) = beside["by_author"]
    assert (comparison["verdict"], comparison["published_text"]) == ("not comparable", "0.8")
    assert comparison["reason"]
    assert beside["holds"] is False


def test_private_result_has_no_rank_and_changes_none(get, adas, submit, record, benchmarks, vision):
    better, worse = submit(record(results={"Top 1 Accuracy": 0.9}), record(results={"Top 1 Accuracy": 0.8}, model="x"))
    assert [row["rank"] for row in get(f"{IMAGENET}/results")["items"]] == [1, 2]
    vision.is_public = False
    vision.save()
    for result in (better, worse):
        assert adas.ask("GET", f"/api/v1/results/{result.pk}")[1]["rank"] is None


def test_ties_share_a_letter(get, ranked):
    found = get(f"{IMAGENET}/ties")
    assert [(row["result"], row["letters"]) for row in found] == [
        (ranked[0].pk, ["a"]), (ranked[1].pk, ["a"]), (ranked[2].pk, ["b"]),
    ]  # fmt: skip


def test_two_results_are_compared_image_by_image(get, ranked):
    best, close, worst = ranked
    images = get(f"/api/v1/results/{best.pk}/compare?other={close.pk}")["images"]
    counts = [images[name] for name in ("both", "only_first", "only_second", "neither")]
    assert (counts, images["is_tie"], images["difference"]) == ([89, 1, 0, 10], True, 0.01)
    assert images["low"] <= 0.01 <= images["high"]
    assert get(f"/api/v1/results/{worst.pk}/compare?other={best.pk}")["images"]["is_tie"] is False


def test_results_without_predictions_are_not_compared(get, submit, record, benchmarks):
    first, second = submit(record(), record(model="other"))
    assert get(f"/api/v1/results/{first.pk}/compare?other={second.pk}")["images"] is None
    assert get(f"{IMAGENET}/ties") == []


def test_earlier_results_of_a_model_are_its_history(get, submit, record, benchmarks):
    (earlier,) = submit(record(), commit="1" * 40)
    (later,) = submit(record(), commit="2" * 40)
    submit(record(model="another"), commit="3" * 40)
    (row,) = get(f"/api/v1/results/{later.pk}/history")["items"]
    assert (row["id"], row["superseded_by"], row["rank"]) == (earlier.pk, later.pk, None)
    assert [row["id"] for row in get(f"/api/v1/results/{earlier.pk}/history")["items"]] == [later.pk]


def test_plot_holds_results_and_published_figures(get, submit, record, resnexts):
    (result,) = submit(record())
    found = get(f"{IMAGENET}/plot")
    own = [point for point in found["points"] if point["kind"] == "own"]
    assert [(point["result"], point["x"], point["y"]) for point in own] == [(result.pk, 88_791_336, 0.79312)]
    assert {point["kind"] for point in found["points"]} == {"own", "paper", "catalogue"}
    by_year = get(f"{IMAGENET}/plot?against=year")["points"]
    assert {point["x"] for point in by_year if point["kind"] == "own"} == {2016}


def test_published_row_says_size_year_and_image(get, resnexts):
    rows = get(f"{IMAGENET}/reported?search=resnext101_32x8d.tv_in1k")["items"]
    assert [(row["parameters"] > 80_000_000, row["image_size"]) for row in rows] == [(True, "224")]
    paper = Paper.objects.get(arxiv_id="1611.05431")
    assert get(f"/api/v1/papers/{paper.slug}/reported")["items"][0]["year"] == paper.year


def test_variant_lists_what_is_published_on_the_whole(get, submit, record, resnexts):
    part = {"name": "ImageNet", "samples": 20, "size": 50_000, "complete": False}
    (result,) = submit(record(samples=20, dataset=part))
    whole = get(f"{IMAGENET}/reported")["count"]
    assert whole == get(f"/api/v1/benchmarks/{result.benchmark.slug}/reported")["count"] > 0


def test_benchmarks_and_users_say_how_much_there_is(get, adas, submit, record, resnexts, vision):
    submit(record())
    counts = {
        row["dataset"]: (row["result_count"], row["reported_count"]) for row in get("/api/v1/benchmarks")["items"]
    }
    assert counts["ImageNet"][0] == 1
    assert counts["ImageNet"][1] > 10
    assert get("/api/v1/users/ADA") == {"username": "ada", "repository_count": 1}
    (row,) = get("/api/v1/users/ada/repositories")["items"]
    assert (row["name"], row["result_count"]) == ("pytorch/vision", 1)
    vision.is_public = False
    vision.save()
    assert get("/api/v1/users/ada")["repository_count"] == 0
    assert adas.ask("GET", "/api/v1/users/ada")[1]["repository_count"] == 1


def test_nobody_is_no_user(stranger):
    assert stranger.ask("GET", "/api/v1/users/nobody")[0] == 404


@pytest.mark.parametrize("path", ["history", "compare?other={key}"])
def test_what_is_private_is_not_there(stranger, adas, submit, record, benchmarks, vision, path):
    (result,) = submit(record())
    vision.is_public = False
    vision.save()
    address = f"/api/v1/results/{result.pk}/{path.format(key=result.pk)}"
    assert (stranger.ask("GET", address)[0], adas.ask("GET", address)[0]) == (404, 200)
