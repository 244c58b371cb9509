"""Builds: what was made of one commit of a repository."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from sotabench.server.accounts.models import User
from sotabench.server.repositories.models import Repository

COMMIT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


class Runner(models.Model):
    """A process that builds, on this machine or another. It knows a token, of which only the digest is kept here."""

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of its token")
    facts = models.JSONField(default=dict, blank=True, help_text="hardware and versions, as it said last")
    is_drained = models.BooleanField(default=False, help_text="finishes what it has and takes nothing new")
    is_trusting = models.BooleanField(default=False, help_text="runs repositories without a sandbox")
    trouble = models.TextField(blank=True, help_text="why it is not in service, as it said itself")
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Build(models.Model):
    """One commit's way to results. `status` is its only state; `builds.services.move` alone writes it.

    While it is running, its open attempt says at which stage.
    """

    class Status(models.TextChoices):
        """Where a build stands."""

        QUEUED = "queued", "waiting"
        RUNNING = "running", "running"
        RECEIVING = "receiving", "receiving results"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"
        BROKEN = "broken", "broken: the site could not do its part"
        SKIPPED = "skipped", "skipped"
        CANCELLED = "cancelled", "cancelled"

    class Origin(models.TextChoices):
        """Why there is a build."""

        SUBMITTED = "submitted", "results that were computed elsewhere and submitted"
        PUSHED = "pushed", "a push to the default branch"
        REQUESTED = "requested", "somebody asked for it"

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="builds")
    number = models.PositiveIntegerField(help_text="counts from 1 in every repository")
    commit = models.CharField(max_length=64, validators=[RegexValidator(rf"^{COMMIT}\Z", "expected a git commit")])
    branch = models.CharField(max_length=255, blank=True)
    origin = models.CharField(max_length=20, choices=Origin)
    status = models.CharField(max_length=20, choices=Status)
    reason = models.TextField(blank=True, help_text="why it stands where it stands, when that needs saying")
    is_preview = models.BooleanField(default=False, help_text="its results stand on no leaderboard")
    is_full = models.BooleanField(default=False, help_text="everything runs, nothing is carried over")
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    inputs = models.JSONField(
        default=dict, blank=True, help_text="all that the results depend on, as its runner found it"
    )
    inputs_key = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the inputs; equal: equal results")
    announced = models.CharField(max_length=20, blank=True, help_text="the status that the git host was told last")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint("repository", "number", name="build_number_once_a_repository"),
            models.UniqueConstraint(
                "repository", "commit", condition=models.Q(origin="pushed"), name="push_is_built_once"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        "queued",
                        "running",
                        "receiving",
                        "finished",
                        "failed",
                        "broken",
                        "skipped",
                        "cancelled",
                    ]
                ),
                name="build_status_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="waiting_builds", condition=models.Q(status="queued")),
            models.Index(fields=["repository", "inputs_key"], name="builds_by_inputs"),
        ]

    def __str__(self) -> str:
        return f"{self.repository} #{self.number}"


class Stage(models.TextChoices):
    """What an attempt is doing, in this order."""

    CHECKOUT = "checkout", "checking out"
    ENVIRONMENT = "environment", "making the environment"
    SETUP = "setup", "running sotabench_setup.sh"
    WEIGHTS = "weights", "fetching weights"
    EVALUATE = "evaluate", "evaluating"
    COLLECT = "collect", "collecting"


class Attempt(models.Model):
    """One runner's try at a build. Whoever holds `digest`'s token, and holds the lease, may report on it.

    It is open until `ended_at`; a build has at most one that is.
    """

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField(help_text="counts from 1 in every build")
    runner = models.ForeignKey(Runner, on_delete=models.PROTECT, related_name="attempts")
    slot = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of its fencing token")
    stage = models.CharField(max_length=20, choices=Stage, default=Stage.CHECKOUT)
    is_trusting = models.BooleanField(default=False, help_text="ran without a sandbox")
    had_network = models.BooleanField(default=False, help_text="had network while it evaluated")
    leased_until = models.DateTimeField()
    deadline = models.DateTimeField(help_text="when it ends whatever it does")
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="how it ended")
    log_size = models.PositiveIntegerField(default=0, help_text="characters")

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint("build", "number", name="attempt_number_once_a_build"),
            models.UniqueConstraint("build", condition=models.Q(ended_at=None), name="one_open_attempt_a_build"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["leased_until"], name="open_leases", condition=models.Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.build}"


class LogChunk(models.Model):
    """Some lines of an attempt's log, harmless to show. `number` counts from 0, so that a chunk sent twice is one."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint("attempt", "number", name="chunk_once_an_attempt")]

    def __str__(self) -> str:
        return f"chunk {self.number} of {self.attempt}"
