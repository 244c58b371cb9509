"""One build, top to bottom: from a commit to results that the site has scored."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchrecord import printable
from sotabench.errors import Broken, Failed
from sotabench.runner import checkout, installing
from sotabench.runner import weights as weights_stage
from sotabench.runner.attempt import Attempt
from sotabench.runner.checkout import Tree, check_out
from sotabench.runner.collecting import Collected, Collector
from sotabench.runner.environment import Environment, make_environment, run_setup
from sotabench.runner.evaluation import Data, evaluation_task
from sotabench.runner.inside.shims import SHIMS
from sotabench.runner.kept import EMPTIED, empty, is_too_much
from sotabench.runner.locks import held
from sotabench.runner.room import missing_room
from sotabench.runner.sandbox import Mount, Outcome, Task
from sotabench.runner.shop import Shop
from sotabench.runner.site import Known
from sotabench.runner.traces import LONGEST_LINE, count_within, digest_of, line_of, listed
from sotabench.runner.weights import Fetched, caches, fetch_weights
from sotabench.runner.workplace import Workplace

DONE = "/work/done.json"
_MOST_OF_WEIGHTS = 160 << 10  # bytes of JSON in a record

_NO_DATA = "this site has none yet; who runs it adds them by `sotabench datasets add imagenet --path FOLDER`"


@dataclass(frozen=True)
class Prepared:
    """All that stands before anything is evaluated."""

    tree: Tree
    environment: Environment
    weights: list[Fetched]


def run_build(attempt: Attempt, shop: Shop) -> None:
    """Bring the build to its end. Raises Failed, Broken, and LeaseLost."""
    if trouble := missing_room(attempt.folder):
        raise Broken(trouble)
    workplace = shop.workplace(attempt)
    prepared = prepare(attempt, workplace, shop)
    inputs, network = inputs_of(attempt, prepared, shop), shop.has_network(attempt.job)
    known = attempt.report.inputs(inputs, had_network=network)
    if known.carried_from is not None:
        attempt.log.say(f"carried over from build {known.carried_from}: all that its results depend on is the same")
        return
    attempt.report.renew("evaluate")
    attempt.log.say("evaluating, with the data" if attempt.job.data else f"evaluating, without images: {_NO_DATA}")
    collector = Collector(
        workplace.output_folder,
        attempt.report,
        {"weights": _public([one for one in prepared.weights if one.is_fetched]), "platform": inputs},
        say=attempt.log.say,
        stop=attempt.stop,
    )
    with collector:
        outcome = evaluate(attempt, workplace, prepared, shop, known)
    attempt.report.renew("collect")
    judge(outcome, collector.finish(), has_data=bool(attempt.job.data))


def prepare(attempt: Attempt, workplace: Workplace, shop: Shop) -> Prepared:
    """Check out, make the environment, run the setup, fetch the weights."""
    report, settings = attempt.report, shop.settings
    report.renew("checkout")
    attempt.log.say(f"checking out {attempt.job.build['commit']}")
    tree = check_out(workplace, shop.source(attempt.job), shop.within(checkout.LIMITS))
    report.renew("environment")
    attempt.log.say("making the environment that requirements.txt asks for")
    environment = make_environment(workplace, shop.environments, shop.within(installing.LIMITS))
    report.renew("setup")
    environment = run_setup(workplace, environment, shop.setup_hosts, shop.within(installing.LIMITS))
    report.renew("weights")
    attempt.log.say("running sotabench.py without data, so that it fetches its weights")
    weights = fetch_weights(
        workplace,
        environment,
        tree,
        hosts=shop.weights_hosts,
        limits=shop.within(weights_stage.LIMITS),
        devices=settings.devices,
    )
    return Prepared(tree, environment, weights)


def evaluate(attempt: Attempt, workplace: Workplace, prepared: Prepared, shop: Shop, known: Known) -> Outcome:
    """Run `sotabench.py` with the data, without the network unless its owner asked for it."""
    with ExitStack() as stack:
        network = None
        if shop.has_network(attempt.job):
            attempt.log.say("the repository's owner lets it use the network while it is evaluated")
            network = stack.enter_context(workplace.proxy(shop.weights_hosts)).socket
        data = Data(
            imagenet=shop.images(attempt.job, "ImageNet"),
            prepared=shop.prepared_images(attempt.job, "ImageNet"),
            uploads=uploads(attempt, workplace.kept / "uploads"),
        )
        limits, devices = shop.evaluation_limits, shop.settings.devices
        task = evaluation_task(workplace, prepared.environment, data, limits, network=network, devices=devices)
        outcome = workplace.run(with_done(task, workplace.folder / "done.json", known))
    if network and is_too_much(outcome):  # only then it may write the caches, and they count
        empty(*caches(workplace))
        return replace(outcome, reason=f"{outcome.reason}; {EMPTIED}")
    return outcome


def with_done(task: Task, file: Path, known: Known) -> Task:
    """The task, told by a file which calls need not run."""
    if not known.done:
        return task
    file.write_text(json.dumps(known.done))
    file.chmod(0o644)
    environment = {**task.environment, "SOTABENCH_DONE": DONE}
    return replace(task, environment=environment, mounts=[*task.mounts, Mount(file, DONE)])


def judge(outcome: Outcome, collected: Collected, *, has_data: bool) -> None:
    """Raise Failed, which says what went wrong, unless every call was scored and the file came to its end."""
    hint = "" if has_data else f"; it had no images: {_NO_DATA}"
    scored = f"{len(collected.accepted)} of its calls were scored" if collected.accepted else "no call was scored"
    if not outcome.well:
        raise Failed(f"sotabench.py: {outcome.reason}; {scored}; its output above says more{hint}")
    if collected.refused:
        raise Failed(f"{scored}; refused: {'; '.join(collected.refused)}")
    if not collected.accepted:
        raise Failed("sotabench.py ended well and made no record: does it call benchmark()?")


def uploads(attempt: Attempt, folder: Path) -> dict[str, Path]:
    """The data sets that the repository brought along, by the path that it asked for; kept in `folder` by digest.

    What no data set is any more is removed.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with held(folder.with_name("uploads.lock"), attempt.stop):  # what one build fetches is no left-over to another
        wanted = {str(file["sha256"]): int(file["size"]) for file in attempt.job.files}
        for path in folder.iterdir():
            if path.name not in wanted:
                path.unlink()
        for sha256, size in wanted.items():
            path = folder / sha256
            if not path.exists():
                attempt.log.say(f"fetching a data set of {size} bytes from the site")
                attempt.report.fetch(sha256, path)
    return {str(file["path"]): folder / str(file["sha256"]) for file in attempt.job.files}


def inputs_of(attempt: Attempt, prepared: Prepared, shop: Shop) -> dict[str, Any]:
    """All that the results depend on: equal inputs, equal results, whatever else changed."""
    job = attempt.job
    return {
        "tree": prepared.tree.tree,
        "submodules": listed(line_of(commit, path) for path, commit in prepared.tree.submodules),
        "lock": listed(prepared.environment.lock),
        # What a repository's own code does with a network is no other build's: its lock does not tell all of it.
        "installed_by": "" if prepared.environment.is_shared else f"build {job.build['number']}",
        "weights": listed(line_of(one.sha256, one.path) for one in prepared.weights if one.is_fetched),
        "left_behind": digest_of(f"{one.sha256} {one.path}" for one in prepared.weights if not one.is_fetched),
        "data": {str(data["dataset_name"]): data["fingerprint"] for data in job.data},
        "files": listed(line_of(str(file["sha256"]), str(file["path"])) for file in job.files),
        "base": shop.base.described,
        "hardware": shop.hardware,
        "sandbox": "none: repositories are trusted" if shop.is_trusting else "bubblewrap",
        "network": shop.has_network(job),
        "shims": list(SHIMS),
    } | ({"setup": setup} if (setup := prepared.environment.setup) else {})


def _public(fetched: Sequence[Fetched]) -> list[dict[str, Any]]:
    """As a record tells of them; of very many the first ones, and the rest together."""
    told = [
        {"url": one.url, "size": one.size, "sha256": one.sha256, "path": printable(one.path, LONGEST_LINE)}
        for one in fetched
    ]
    count = count_within(told, _MOST_OF_WEIGHTS)
    if rest := fetched[count:]:
        size, sha256 = sum(one.size for one in rest), digest_of(line_of(one.sha256, one.path) for one in rest)
        told[count:] = [{"url": "", "size": size, "sha256": sha256, "path": f"... and {len(rest)} more, all together"}]
    return told
