"""How templates show numbers, strangers' words, tiers and addresses."""

from django import template

from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.verdicts import Comparison
from sotabench.server.builds.models import Build
from sotabench.server.repositories.models import Repository
from sotabench.server.web import addresses, formats

register = template.Library()

register.filter("percent", formats.percent)
register.filter("points", formats.points)
register.filter("amount", formats.amount)
register.filter("plain", formats.plain)
register.filter("safe_url", formats.safe_url)

TIERS = {
    "verified": ("\u2714", "verified", "run and scored by this site"),
    "declared": ("\u25b3", "declared", "said by the repository's own process"),
    "self-reported": ("\u25cb", "self-reported", "submitted by the repository's owner, not checked by this site"),
    "paper": ("\u00b6", "reported by the paper", "as the paper gives it, not measured here"),
    "catalogue": ("\u2261", "reported by a catalogue", "as a published list of models gives it, not measured here"),
    "author": ("\u270e", "reported by the file's author", "as the evaluation file gives it, not measured here"),
}
VERDICTS = {
    "reproduces": ("\u2713", "not worse than published by more than the rounding and, of percentages, 0.1 points"),
    "better": ("\u25b2", "better than published by more than the rounding and, of percentages, 0.1 points"),
    "falls short": ("\u25bc", "worse than published by more than the rounding and, of percentages, 0.1 points"),
    "not comparable": ("\u2260", "not measured on the same images"),
}


@register.inclusion_tag("web/parts/tier.html")
def tier(key: str) -> dict[str, str]:
    """Who stands behind a figure: a sign and words, so that nobody has to see colours."""
    sign, words, meaning = TIERS[key]
    return {"key": key, "sign": sign, "words": words, "meaning": meaning}


@register.inclusion_tag("web/parts/verdict.html")
def verdict(words: str, reason: str = "") -> dict[str, str]:
    """What can be said of a figure beside a published one, as a sign and words."""
    sign, meaning = VERDICTS[words]
    return {"key": words.replace(" ", "-"), "sign": sign, "words": words, "meaning": reason or meaning}


@register.filter
def difference(comparison: Comparison) -> str:
    """How far the measured figure is from the published one, in its unit."""
    return formats.difference(comparison.difference, step=comparison.step, is_fraction=comparison.is_fraction)


@register.filter
def repository_url(repository: Repository) -> str:
    """The address of the repository's page."""
    return addresses.repository_url(repository)


@register.filter
def identity_path(repository: Repository) -> str:
    """The repository's name, with its host where that is needed."""
    return addresses.identity_path(repository)


@register.filter
def build_url(build: Build) -> str:
    """The address of the build's page."""
    return addresses.build_url(build)


@register.filter
def carried_url(result: Result) -> str:
    """The address of the build that measured what was carried over."""
    if result.carried_from is None:
        return ""
    build = result.carried_from.build
    build.repository = result.repository
    return addresses.build_url(build)
