"""Git repositories. The host is part of a repository's identity."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

from sotabench.server.accounts.models import User

HOST = r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?"
OWNER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,5}"
NAME = r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,100}"
LOCAL_HOST = "localhost"


class Repository(models.Model):
    """A git repository on a host, known to its users as `owner/name`; upper and lower case do not tell two apart.

    Until control of it was proven, `owner` is only who named it first: that allows to submit, and no more.
    """

    class Proof(models.TextChoices):
        """How control of the repository was shown."""

        FILE = "file", "a file in its default branch"
        HOST = "host", "the git host says that its owner administers it"
        OPERATOR = "operator", "added by whoever runs this site"

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
    clone_url = models.CharField(max_length=600, blank=True, help_text="https, ssh or file; empty: https at the host")
    proven_by = models.CharField(max_length=20, blank=True, choices=Proof, help_text="empty: control was not shown")
    proven_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True, help_text="when the site's owner allowed builds")
    moved_to = models.CharField(max_length=300, blank=True, help_text="owner/name that its host says it has now")
    is_polled = models.BooleanField(default=True, help_text="whether this site asks its host for new commits")
    has_network = models.BooleanField(default=False, help_text="whether it has network while it is evaluated")
    tells_breaks = models.BooleanField(default=True, help_text="whether its owner hears that a build no longer works")
    tells_falls = models.BooleanField(default=True, help_text="whether its owner hears that a result fell")
    tells_by_mail = models.BooleanField(default=True, help_text="to the owner's e-mail address")
    tells_url = models.CharField(max_length=600, blank=True, help_text="https address that is sent the same")
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
    def is_local(self) -> bool:
        """Whether it is a folder of the site's own machine."""
        return self.clone_url.startswith("file:")

    @property
    def address(self) -> str:
        """Where people look at it; the host's name was checked, so this is an https address and nothing else.

        A folder of the site's own machine has none.
        """
        return "" if self.is_local else f"https://{self.host}/{self.owner_name}/{self.name}"

    @property
    def remote_url(self) -> str:
        """What git is given to reach it: https, ssh or file."""
        return self.clone_url or f"{self.address}.git"


class Keys(models.Model):
    """A repository's secrets, all sealed but the deploy key's public half, and when the git host is to be told again.

    They are the owner's: whoever takes the repository over begins with new ones.
    """

    class Kind(models.TextChoices):
        """Whose API the git host speaks."""

        GITHUB = "github", "GitHub"
        GITLAB = "gitlab", "GitLab"
        GITEA = "gitea", "Gitea or Forgejo"

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, related_name="keys")
    webhook_secret = models.TextField(blank=True)
    deploy_key = models.TextField(blank=True)
    deploy_key_public = models.TextField(blank=True)
    notice_secret = models.TextField(blank=True, help_text="signs what is sent to the owner's address")
    host_token = models.TextField(blank=True, help_text="for commit statuses; goes to `host_token_for` alone")
    host_token_for = models.CharField(max_length=260, blank=True)
    host_kind = models.CharField(max_length=20, blank=True, choices=Kind)
    host_trouble = models.CharField(max_length=500, blank=True, help_text="why the host could not be told")
    host_failures = models.PositiveIntegerField(default=0)
    host_next_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "keys"

    def __str__(self) -> str:
        return f"keys of {self.repository}"


class Watch(models.Model):
    """When a repository's host is asked next for the newest commit, and what it said last."""

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, related_name="watch")
    next_at = models.DateTimeField(db_index=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    failures = models.PositiveIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"watch over {self.repository}"


class Delivery(models.Model):
    """A webhook's message that was taken, so that it is not taken twice."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=100, help_text="the host's name for the delivery, or what its body digests to")
    event = models.CharField(max_length=100)
    outcome = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint("repository", "key", name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.event} of {self.repository}: {self.outcome}"


class Drain(models.Model):
    """While there is one, nothing new is built; it is kept here so that it outlives a restart."""

    reason = models.CharField(max_length=300, blank=True)
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.reason or "draining"
