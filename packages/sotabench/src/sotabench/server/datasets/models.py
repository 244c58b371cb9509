"""Data sets that belong to a repository, and the uploads by which they arrive in parts."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from sotabench.server.accounts.models import User
from sotabench.server.repositories.models import Repository


class Upload(models.Model):
    """One file on its way here, in `part_number` parts of `part_size` bytes, the last one shorter."""

    class State(models.TextChoices):
        """Where an upload stands."""

        QUEUED = "queued", "no part has come yet"
        STARTED = "started", "parts are coming"
        FINISHED = "finished", "the whole file is here and is what was announced"
        ERROR = "error", "the whole file was not what was announced"

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="uploads")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=500, help_text="below .data/ of the repository")
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    part_size = models.PositiveBigIntegerField()
    part_number = models.PositiveIntegerField(help_text="how many parts there are")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                "repository", "path", condition=Q(state__in=["queued", "started"]), name="one_upload_at_a_path"
            ),
            models.CheckConstraint(
                condition=Q(size__gt=0, part_size__gt=0, part_number__gt=0), name="upload_has_parts"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "started", "finished", "error"]), name="upload_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path} of {self.repository}"


class Part(models.Model):
    """A piece of an upload. `no` counts from 1; `etag` is the SHA-256 of the bytes that came."""

    class State(models.TextChoices):
        """Where a part stands."""

        QUEUED = "queued", "to be sent"
        STARTED = "started", "somebody is sending it"
        FINISHED = "finished", "here"

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    no = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, help_text="as announced; empty: not announced")
    etag = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    started_time = models.DateTimeField(null=True)
    finished_time = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["no"]
        constraints: ClassVar = [models.UniqueConstraint("upload", "no", name="part_once_an_upload")]

    def __str__(self) -> str:
        return f"part {self.no} of {self.upload}"


class Dataset(models.Model):
    """A file that a repository finds below its `.data/`. Files of the same bytes are kept once a repository."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="datasets")
    upload = models.ForeignKey(Upload, on_delete=models.RESTRICT, related_name="datasets")
    path = models.CharField(max_length=500)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["path"]
        constraints: ClassVar = [models.UniqueConstraint("repository", "path", name="dataset_once_a_path")]

    def __str__(self) -> str:
        return f"{self.path} of {self.repository}"
