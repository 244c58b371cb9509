"""Users and the tokens that programs use in their name."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

USERNAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,37}[A-Za-z0-9_])?"
USERNAME_VALIDATORS = [
    RegexValidator(
        rf"^{USERNAME}\Z",
        "expected a name of 1 to 39 letters, digits, '-', '_' and '.', which begins with a letter or digit",
    ),
]


class User(AbstractUser):
    """Somebody with an account. Names differ in more than upper and lower case."""

    username = models.CharField(max_length=39, unique=True, validators=USERNAME_VALIDATORS)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("username"), name="username_unique_in_any_case")]

    def __str__(self) -> str:
        return self.username


class Scope(models.TextChoices):
    """What a token may be used for; reading what its user may read is always allowed."""

    SUBMIT = "submit", "submit results and data sets"
    MANAGE = "manage", "change repositories and start builds"


class ApiToken(models.Model):
    """The right to act for a user; of the token itself only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, help_text="how the token begins, to tell it from others")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"

    def allows(self, scope: str) -> bool:
        """Whether the token may be used for `scope`."""
        return self.revoked_at is None and scope in self.scopes
