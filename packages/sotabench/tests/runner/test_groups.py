"""Control groups, over a folder that stands for the kernel's tree: a machine may have no memory controller to give."""

import pytest

from sotabench.runner.sandbox.groups import Groups
from sotabench.runner.sandbox.plan import Limits

LIMITS = Limits(seconds=1, memory=123_456, disk=1, files=1, processes=7, file_size=1)


@pytest.fixture
def groups(tmp_path):
    (tmp_path / "cgroup.procs").write_text("10\n11\n")
    return Groups(tmp_path)


def test_what_runs_already_is_moved_before_groups_are_made_below(groups, tmp_path):
    groups.prepare()
    assert (tmp_path / "runner" / "cgroup.procs").read_text() == "11"  # the kernel takes one number at a time
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_group_has_the_tasks_limits_and_is_killed_as_a_whole(groups):
    with groups.group(LIMITS, processes=11) as group:
        values = {path.name: path.read_text() for path in group.folder.iterdir()}
    assert values == {"memory.max": "123456", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "11"}
    assert group.entrance == str(group.folder / "cgroup.procs")


def test_each_task_has_a_group_of_its_own(groups):
    with groups.group(LIMITS, processes=1) as first, groups.group(LIMITS, processes=1) as second:
        assert first.folder != second.folder


@pytest.mark.parametrize(("events", "ran_out"), [("low 0\noom 1\noom_kill 0\n", False), ("oom 1\noom_kill 2\n", True)])
def test_the_kernel_says_whether_memory_ran_out(groups, events, ran_out):
    with groups.group(LIMITS, processes=1) as group:
        assert not group.ran_out()
        (group.folder / "memory.events").write_text(events)
        assert group.ran_out() is ran_out
