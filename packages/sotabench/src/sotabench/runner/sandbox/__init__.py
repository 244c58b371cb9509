"""Strangers' programs, run so that they reach only what they are given.

`Bubblewrap` isolates, `Trusted` (the operator's explicit choice) does not; both keep the limits. What is measured and
attacked in `tests/runner/` is stopped. **Not** stopped:

- a hole in the kernel itself: a process here talks to the machine's kernel, as in any container. Machines that must
  withstand that need a virtual machine around the runner;
- whatever an accelerator's driver lets a process do to it, once its device nodes are mounted;
- side channels: timing, processor load, caches, how full the disk is;
- sending to, as well as fetching from, hosts that the operator's allow-list names, while a stage has the network;
- memory over the limit for a fifth of a second or so, where there is no memory cgroup: the watchdog looks that often;
  for twenty seconds where processes share memory and have so many mappings that counting them takes as long.
  Memory that belongs to no process (files passed through a socket and closed) it sees only as the machine's free memory
  or disk running out, and then stops the task;
- slots of a runner that is not root share its uid: the processes of one cannot see those of another, but the limit on
  their number counts both;
- another process of the same user on the machine, outside any sandbox, that wants to break in.
"""

from sotabench.runner.sandbox.folders import copy_writable, entries_below, open_folder, own, remove
from sotabench.runner.sandbox.groups import find_groups
from sotabench.runner.sandbox.interpreter import interpreter_mounts
from sotabench.runner.sandbox.plan import Ended, Limits, Mount, Outcome, Sandbox, Slot, Task
from sotabench.runner.sandbox.run import Bubblewrap, Trusted

__all__ = [
    "Bubblewrap",
    "Ended",
    "Limits",
    "Mount",
    "Outcome",
    "Sandbox",
    "Slot",
    "Task",
    "Trusted",
    "copy_writable",
    "entries_below",
    "find_groups",
    "interpreter_mounts",
    "open_folder",
    "own",
    "remove",
]
