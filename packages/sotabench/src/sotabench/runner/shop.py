"""What a runner has to build with, the same for every build: the base, sandboxes, proxies, limits, folders."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sotabench.errors import Broken, Misconfigured
from sotabench.runner.attempt import Attempt
from sotabench.runner.base import find_base
from sotabench.runner.checkout import Source
from sotabench.runner.egress import Egress, Rules
from sotabench.runner.folder import SLOTS
from sotabench.runner.package_index import PackageIndex, find_package_index
from sotabench.runner.sandbox import Bubblewrap, Limits, Sandbox, Slot, Trusted, remove
from sotabench.runner.settings import RunnerSettings
from sotabench.runner.shared_environments import sweep_environments
from sotabench.runner.site import Job
from sotabench.runner.weights import HOSTS
from sotabench.runner.workplace import Base, Workplace

_FILES = 500_000
ENVIRONMENT_DAYS, REPOSITORY_DAYS = 30, 180


@dataclass(frozen=True)
class Shop:
    """Made once when the runner starts."""

    settings: RunnerSettings
    base: Base
    index: PackageIndex
    hardware: Mapping[str, Any]
    sandboxes: Mapping[int, Sandbox]
    slots: Mapping[int, Slot]
    is_trusting: bool

    @property
    def environments(self) -> Path:
        """Where environments that builds share are kept."""
        return self.settings.folder / "environments"

    @property
    def evaluation_limits(self) -> Limits:
        """What the evaluation of a build may use."""
        return limits_of(self.settings, self.settings.seconds)

    @property
    def setup_hosts(self) -> Rules:
        """What a setup script may reach beside the package index."""
        return Rules.of(self.settings.setup_hosts)

    @property
    def weights_hosts(self) -> Rules:
        """Where weights are fetched from."""
        return Rules.of(self.settings.weights_hosts) if self.settings.weights_hosts else HOSTS

    def has_network(self, job: Job) -> bool:
        """Whether the repository's owner lets it use the network while it is evaluated."""
        return bool(job.repository["has_network"])

    def source(self, job: Job) -> Source:
        """What to check out."""
        repository, build = job.repository, job.build
        return Source(
            url=str(repository["url"]),
            branch=str(build["branch"]),
            commit=str(build["commit"]),
            by_operator=bool(repository["is_local"]),
            hosts=Rules.of(self.settings.git_hosts),
            key=str(repository["ssh_key"]),
            known_hosts=self.settings.folder / "known_hosts",
            pinned=self.settings.known_hosts.read_text() if self.settings.known_hosts else "",
        )

    def images(self, job: Job, name: str) -> Path | None:
        """The folder of a data set, when the site has it. Raises Broken when it is not on this machine."""
        folder = self._copy(job, name)
        if folder is None:
            return None
        place = (self.settings.data / folder).resolve()
        if not place.is_relative_to(self.settings.data) or not place.is_dir():
            raise Broken(f"expected the site's copy of {name} at {place}, found none; SOTABENCH_RUNNER_DATA says where")
        return place

    def prepared_images(self, job: Job, name: str) -> Path | None:
        """The folder of prepared images, when there is one."""
        folder = self._copy(job, name)
        place = self.settings.data / "prepared" / folder.name if folder else None
        return place if place and place.is_dir() else None

    def _copy(self, job: Job, name: str) -> Path | None:
        return next((Path(str(data["folder"])) for data in job.data if data["dataset_name"] == name), None)

    def kept(self, job: Job) -> Path:
        """What a repository's builds leave to its next ones: caches of its own, which no other repository sees."""
        return self.settings.folder / "repositories" / str(int(job.repository["id"]))

    def attempt_folder(self, slot: int) -> Path:
        """Where the slot's build lies while it runs."""
        return self.settings.folder / SLOTS / str(slot)

    def workplace(self, attempt: Attempt) -> Workplace:
        """The place of one attempt."""
        kept = self.kept(attempt.job)
        kept.mkdir(mode=0o711, parents=True, exist_ok=True)
        os.utime(kept)  # in use: see `sweep`
        slot = self.slots[attempt.slot]
        return Workplace(
            slot=slot,
            sandbox=self.sandboxes[attempt.slot],
            folder=attempt.folder,
            kept=kept,
            base=self.base,
            index=self.index,
            say=attempt.log.say,
            output=attempt.log.output,
            stop=attempt.stop,
            proxy=self._proxy(slot, attempt.log.say),
            certificates=self.settings.certificates,
        )

    def within(self, limits: Limits) -> Limits:
        """A stage's own limits, none of them above what the operator gives a build."""
        most = limits_of(self.settings, limits.seconds)
        return Limits(
            **{field.name: min(getattr(limits, field.name), getattr(most, field.name)) for field in fields(most)}
        )

    def sweep(self) -> int:
        """Remove what no build used for so long: environments, and what repositories' builds left; how many."""
        removed = sweep_environments(self.environments, ENVIRONMENT_DAYS)
        before = time.time() - REPOSITORY_DAYS * 86_400
        for kept in (self.settings.folder / "repositories").glob("*"):
            if kept.stat().st_mtime < before:
                remove(kept)
                removed += 1
        return removed

    def _proxy(self, slot: Slot, say: Callable[[str], None]) -> Callable[[Rules], AbstractContextManager[Egress]]:
        internal = Rules.of(internal=self.settings.internal_hosts)

        @contextmanager
        def proxy(rules: Rules) -> Iterator[Egress]:
            with Egress(rules | internal, slot=slot, log=say) as egress:
                yield egress

        return proxy


def limits_of(settings: RunnerSettings, seconds: float) -> Limits:
    """What the operator gives any stage of a build that may take so long."""
    return Limits(
        seconds=seconds,
        memory=settings.memory,
        disk=settings.disk,
        files=_FILES,
        processes=settings.processes,
        file_size=settings.disk,
    )


def slots_of(settings: RunnerSettings) -> list[Slot]:
    """Each slot with its uid: the runner's own where it is not root."""
    if os.geteuid() != 0:
        return [Slot(number, os.geteuid(), os.getegid()) for number in range(settings.slots)]
    return [Slot(number, settings.first_uid + number, settings.first_uid + number) for number in range(settings.slots)]


def hardware(devices: Sequence[Path]) -> dict[str, Any]:
    """What the numbers of a model may depend on: the processor, its cores, the accelerators."""
    return {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), "devices": [str(one) for one in devices]}


def _processor() -> str:
    with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()


def check_hosts(settings: RunnerSettings) -> None:
    """Raise Misconfigured, naming the setting, for what is no host: found at the start, not by every build."""
    for name, hosts, internal in (
        ("SOTABENCH_GIT_HOSTS", settings.git_hosts, ()),
        ("SOTABENCH_SETUP_HOSTS", settings.setup_hosts, ()),
        ("SOTABENCH_WEIGHTS_HOSTS", settings.weights_hosts, ()),
        ("SOTABENCH_INTERNAL_HOSTS", (), settings.internal_hosts),
    ):
        try:
            Rules.of(hosts, internal)
        except Misconfigured as error:
            raise Misconfigured(f"{name}: {error}") from error


def open_shop(settings: RunnerSettings, *, is_trusting: bool) -> Shop:
    """The shop of this machine. Raises Broken for what is missing, Misconfigured for a wrong setting."""
    settings.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    base = find_base(settings.folder, settings.base_python)
    slots = {slot.number: slot for slot in slots_of(settings)}
    kind = Trusted if is_trusting else Bubblewrap
    return Shop(
        settings=settings,
        base=base,
        hardware=hardware(settings.devices),
        index=find_package_index(base.python, os.environ, Path.home()),
        sandboxes={number: kind(slot) for number, slot in slots.items()},
        slots=slots,
        is_trusting=is_trusting,
    )
