"""Forms of the pages that connect a repository."""

from django import forms

from sotabench.server.repositories.models import Keys, Repository


class ProofForm(forms.Form):
    """A token of the git host, for who would rather not commit a file."""

    token = forms.CharField(
        max_length=500, widget=forms.PasswordInput, label="Token of the git host",
        help_text="It has to administer or maintain the repository. It is sent to that host alone.",
    )  # fmt: skip
    kind = forms.ChoiceField(
        choices=[("", "find out by the name"), *Keys.Kind.choices], required=False, label="What the host runs"
    )
    keep = forms.BooleanField(required=False, label="Keep it, encrypted, to show builds at the commits on the host")


class SettingsForm(forms.ModelForm):
    """What a repository's owner may change."""

    class Meta:  # noqa: D106 - it says nothing that the docstring could not
        model = Repository
        fields = (
            "default_branch", "build_enabled", "is_polled", "has_network",
            "tells_breaks", "tells_falls", "tells_by_mail", "tells_url",
        )  # fmt: skip
        labels = {  # noqa: RUF012 - Django's way
            "default_branch": "Branch that is built",
            "build_enabled": "Build every push to it",
            "is_polled": "Ask the git host for new commits every few minutes",
            "has_network": "Allow network while models are evaluated",
            "tells_breaks": "Tell me when a build no longer works",
            "tells_falls": "Tell me when a result falls by more than chance",
            "tells_by_mail": "by mail",
            "tells_url": "and by HTTP to",
        }
        help_texts = {  # noqa: RUF012 - Django's way
            "build_enabled": "",
            "is_polled": "Needed only where the host cannot send a webhook here.",
            "has_network": "It is said beside every result that was made so. Weights can be fetched without it.",
            "tells_breaks": "",
            "tells_falls": "Same images, exact McNemar test, p below 0.05.",
            "tells_by_mail": "To an address that you verified in your account.",
            "tells_url": "An https address; what is sent is signed.",
        }
