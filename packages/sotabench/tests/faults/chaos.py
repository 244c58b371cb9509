"""Builds while everything around them is killed at random; at the end every promise about builds is checked.

    PYTHONPATH=packages/sotabench/tests python -m faults.chaos --builds 200 --seed 7

As root, with bubblewrap; over PostgreSQL where DATABASE_URL names an empty database. Prints the seed and the figures.
"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from faults.door import Door
from faults.world import FINAL, World, check_logs, children, wait_for

LEASE = 5
SLOTS = 4
REPOSITORIES = 10
SETTINGS = {"SOTABENCH_LEASE_SECONDS": str(LEASE), "SOTABENCH_BUILD_HOURS": "1000000"}


class Chaos:
    """Kills at random, as long as builds wait or run."""

    def __init__(self, world: World, builds: int, seed: int) -> None:
        self.world, self.random, self.kills = world, random.Random(seed), Counter()  # noqa: S311 - a seed that can be told
        self.token = world.clerk.ask("token", "lab")
        self.door = Door(world.port)
        self.calls = {f"r{number}": 1 + number % 3 for number in range(REPOSITORIES)}
        for name, calls in self.calls.items():
            world.add(name, calls=calls)
        world.start_site("--no-runner")
        self.keys = [world.build(f"r{number % REPOSITORIES}") for number in range(builds)]
        self._start_runner()

    def run(self, patience: float) -> list[dict]:
        """Kill until all builds have ended; what became of them."""
        deadline = time.monotonic() + patience
        while any(build["status"] not in FINAL for build in self.world.clerk.ask("builds", self.keys)):
            assert time.monotonic() < deadline, "the builds did not end"
            time.sleep(self.random.uniform(0.5, 6))
            strike = self.random.choice(STRIKES)
            self.kills[strike.__name__] += 1
            strike(self)
            if self.runner.poll() is not None:
                self._start_runner()
        return self.world.clerk.ask("builds", self.keys)

    def close(self) -> None:
        """Stop the runner, so that nothing changes any more."""
        self.runner.terminate()
        self.runner.wait(60)
        self.door.close()

    def _start_runner(self) -> None:
        self.runner = self.world.start_runner(self.door.url, self.token, SLOTS)

    # What strikes.

    def runner_killed(self) -> None:
        """It is there again at once."""
        self.runner.kill()
        self.runner.wait(20)

    def runner_killed_and_away(self) -> None:
        """Longer than the lease."""
        self.runner_killed()
        time.sleep(LEASE + self.random.uniform(0, 4))

    def runner_stopped(self) -> None:
        """As by a second Ctrl-C."""
        self.runner.terminate()
        time.sleep(0.5)
        self.runner.terminate()
        self.runner.wait(60)

    def site_killed(self) -> None:
        """All of it."""
        os.killpg(self.world.site.pid, signal.SIGKILL)
        self.world.site.wait(20)
        self.world.start_site("--no-runner")

    def worker_killed(self) -> None:
        """Its one process that answers; another takes its place."""
        for worker in children(self.world.site.pid):
            os.kill(worker, signal.SIGKILL)
        wait_for(self.world.is_well, why="a new process answers")

    def both_killed(self) -> None:
        """As when the machine loses its power."""
        self.runner_killed()
        self.site_killed()

    def network_cut(self) -> None:
        """For a moment, or for longer than the lease."""
        self.door.shut(silent=self.random.random() < 0.5)
        time.sleep(self.random.choice([0.5, 2, LEASE + 4]))
        self.door.open.set()

    def task_killed(self) -> None:
        """Something inside a sandbox."""
        if pids := self.world.pids_inside():
            self.world.kill(self.random.choice(pids))

    def build_cancelled(self) -> None:
        """One that runs, where there is one."""
        found = self.world.clerk.ask("builds", self.keys)
        if running := [build["key"] for build in found if build["status"] == "running"]:
            self.world.clerk.ask("cancel", self.random.choice(running))


STRIKES = [
    Chaos.runner_killed,
    Chaos.runner_killed,
    Chaos.runner_killed_and_away,
    Chaos.runner_stopped,
    Chaos.site_killed,
    Chaos.worker_killed,
    Chaos.both_killed,
    Chaos.network_cut,
    Chaos.network_cut,
    Chaos.task_killed,
    Chaos.build_cancelled,
]


def check(chaos: Chaos, builds: list[dict]) -> None:
    """Every promise: none lost, none scored twice, nothing left."""
    assert len(builds) == len(chaos.keys)
    for build in builds:
        calls = [f"Net {number}" for number in range(chaos.calls[build["name"]])]
        assert build["status"] in FINAL, build
        assert build["calls"] == calls[: len(build["calls"])], build
        assert build["status"] != "finished" or build["calls"] == calls, build
        assert all(attempt["outcome"] and not attempt["is_open"] for attempt in build["attempts"]), build
        assert build["status"] == "finished" or build["reason"], build
    assert set(chaos.world.clerk.ask("currents")) == {1}
    check_logs(chaos.world, chaos.keys)
    chaos.close()
    chaos.world.check_nothing_is_left()


def run(world: World, *, builds: int, seed: int, patience: float) -> str:
    """The figures, once all is checked."""
    began = time.monotonic()
    chaos = Chaos(world, builds, seed)
    found = chaos.run(patience)
    seconds = time.monotonic() - began
    check(chaos, found)
    attempts = Counter(len(build["attempts"]) for build in found)
    return (
        f"seed {seed}: {builds} builds, {seconds:.0f} s, {sum(chaos.kills.values())} strikes {dict(chaos.kills)}, "
        f"ends {dict(Counter(build['status'] for build in found))}, "
        f"attempts {sum(attempts.elements())} {dict(sorted(attempts.items()))}, every promise kept"
    )


def main() -> None:
    """A world in a temporary folder, which stays when a promise was broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--builds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=20)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sotabench-chaos-"))
    folder.chmod(0o755)
    print(f"seed {chosen.seed}, in {folder}", flush=True)
    world = World(folder, os.environ.get("DATABASE_URL", ""), **SETTINGS)
    try:
        world.clerk.ask("prepare")
        print(run(world, builds=chosen.builds, seed=chosen.seed, patience=60 * chosen.minutes))
    finally:
        world.close()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
