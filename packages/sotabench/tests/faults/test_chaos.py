"""Builds end, each once, while runner, site, network and sandboxes are struck at random."""

import random

from faults import chaos


def test_builds_end_and_none_is_lost_or_scored_twice_whatever_is_killed(make_world, capsys):
    seed = random.SystemRandom().randrange(10**6)
    with capsys.disabled():
        print(f"\nfaults.chaos: seed {seed}")
    print(chaos.run(make_world(**chaos.SETTINGS), builds=30, seed=seed, patience=400))
