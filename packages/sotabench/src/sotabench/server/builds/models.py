"""Builds: what was made of one commit of a repository."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from sotabench.server.accounts.models import User
from sotabench.server.repositories.models import Repository

COMMIT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


class Build(models.Model):
    """One commit's way to results. `status` is its only state; `builds.services.move` alone writes it."""

    class Status(models.TextChoices):
        """Where a build stands."""

        QUEUED = "queued", "waiting"
        RECEIVING = "receiving", "receiving results"
        FINISHED = "finished", "finished"
        CANCELLED = "cancelled", "cancelled"

    class Origin(models.TextChoices):
        """Why there is a build."""

        SUBMITTED = "submitted", "results that were computed elsewhere and submitted"
        REQUESTED = "requested", "somebody asked for it"

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="builds")
    number = models.PositiveIntegerField(help_text="counts from 1 in every repository")
    commit = models.CharField(max_length=64, validators=[RegexValidator(rf"^{COMMIT}\Z", "expected a git commit")])
    branch = models.CharField(max_length=255, blank=True)
    origin = models.CharField(max_length=20, choices=Origin)
    status = models.CharField(max_length=20, choices=Status)
    reason = models.TextField(blank=True, help_text="why it stands where it stands, when that needs saying")
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint("repository", "number", name="build_number_once_a_repository"),
            models.CheckConstraint(
                condition=models.Q(status__in=["queued", "receiving", "finished", "cancelled"]),
                name="build_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository} #{self.number}"
