"""What is to be said to owners, once for a build."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from sotabench.server.builds.models import Build


class Announcement(models.Model):
    """What a build's owner hears of it, and whether he heard; without words there was nothing to say."""

    build = models.OneToOneField(Build, on_delete=models.CASCADE, related_name="announcement")
    subject = models.CharField(max_length=300, blank=True)
    words = models.TextField(blank=True)
    is_mailed = models.BooleanField(default=False)
    is_posted = models.BooleanField(default=False)
    failures = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)
    next_at = models.DateTimeField(null=True, help_text="when it is tried next; empty: it is done with")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["next_at"], name="notices_to_send", condition=~Q(next_at=None))]

    def __str__(self) -> str:
        return self.subject or f"nothing to say of {self.build}"
