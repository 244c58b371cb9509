"""Who may make an account, and where a form about accounts may lead."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.conf import settings
from django.http import Http404, HttpRequest

from sotabench.addresses import unmapped

OIDC = "oidc"
"""How the OpenID Connect provider is called in the settings."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Anybody, where the site's owner lets them."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Whether the sign-up page works."""
        return bool(settings.SIGNUP_OPEN)

    def get_client_ip(self, request: HttpRequest) -> str:
        """What sign-ins are counted by: those who come by IPv4 are not one, however their addresses are written."""
        return unmapped(super().get_client_ip(request))

    def is_safe_url(self, url: str | None) -> bool:
        """Whether somebody may be led there afterwards; what is no address is nowhere to go."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """The OpenID Connect provider's owner decides who has an account there; at GitHub anybody has one."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002 - allauth's signature
        """Whether a first sign-in through a provider makes an account."""
        by_oidc = sociallogin.account.provider == OIDC
        return bool(settings.SIGNUP_BY_OIDC if by_oidc else settings.SIGNUP_OPEN)

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        """The provider as it is configured. Raises Http404 where it is not: then there is no such way to sign in."""
        try:
            if provider.isprintable():  # NUL is nothing that a database can be asked for
                return super().get_app(request, provider, client_id)
        except SocialApp.DoesNotExist:
            pass
        raise Http404(f"expected {provider} to be configured, found nothing about it")
