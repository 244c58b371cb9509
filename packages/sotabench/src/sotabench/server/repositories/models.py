"""Git repositories. The host is part of a repository's identity."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

from sotabench.server.accounts.models import User

HOST = r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?"
OWNER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,5}"
NAME = r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,100}"


class Repository(models.Model):
    """A git repository on a host, known to its users as `owner/name`; upper and lower case do not tell two apart."""

    host = models.CharField(max_length=260, validators=[RegexValidator(rf"^{HOST}\Z", "expected the name of a host")])
    owner_name = models.CharField(
        max_length=200, validators=[RegexValidator(rf"^{OWNER}\Z", "expected an owner's name")]
    )
    name = models.CharField(max_length=100, validators=[RegexValidator(rf"^{NAME}\Z", "expected a repository's name")])
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="repositories", help_text="who may submit results and change it"
    )
    is_public = models.BooleanField(default=True)
    default_branch = models.CharField(max_length=255, default="main")
    build_enabled = models.BooleanField(default=True, help_text="whether a push is built")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "repositories"
        ordering: ClassVar = ["host", "owner_name", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("host"), Lower("owner_name"), Lower("name"), name="one_repository_on_a_host"),
        ]

    def __str__(self) -> str:
        return f"{self.owner_name}/{self.name}"

    @property
    def address(self) -> str:
        """Where people look at it; the host's name was checked, so this is an https address and nothing else."""
        return f"https://{self.host}/{self.owner_name}/{self.name}"
