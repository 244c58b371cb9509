"""`sotabench runner`: builds what the site gives out, until it is stopped."""

import argparse
import logging
import os
import sys
import threading
from functools import partial

from sotabench.errors import Broken, Misconfigured, SiteRefused, SiteUnreachable
from sotabench.logs import JsonFormatter, TextFormatter
from sotabench.runner.attempt import run_attempt
from sotabench.runner.build import run_build
from sotabench.runner.doctor import fit_slots
from sotabench.runner.folder import own_folder
from sotabench.runner.leftovers import remove_leftovers
from sotabench.runner.loop import Signals, run_slots
from sotabench.runner.room import Room
from sotabench.runner.settings import RunnerSettings
from sotabench.runner.shop import Shop, check_hosts, open_shop
from sotabench.runner.site import Job, Json, RunnersSite

_LOG = logging.getLogger("sotabench.runner")
_PAUSE, _DAY = 2.0, 86_400


def run(arguments: argparse.Namespace) -> int:
    """Serve the slots; the first signal drains, the second stops what runs."""
    settings = RunnerSettings.from_environment()
    log(settings)
    check_hosts(settings)
    if not settings.token:
        raise Misconfigured("expected a token in SOTABENCH_RUNNER_TOKEN; `sotabench runners add NAME` makes one")
    signals = Signals()
    signals.listen()
    site = RunnersSite(arguments.url or settings.url, settings.token)
    if arguments.with_parent:
        threading.Thread(target=_stop_with_parent, args=(signals, site), daemon=True).start()
    try:
        with own_folder(settings.folder, signals.drain) as is_ours:
            if is_ours:
                serve(site, open_shop(settings, is_trusting=arguments.trust_repositories), signals)
    finally:
        site.close()
    return 0


def log(settings: RunnerSettings) -> None:
    """Log to standard error, in the form that is set."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.logs_json else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def serve(site: RunnersSite, shop: Shop, signals: Signals) -> None:
    """Build in all slots that can run strangers' code, until told to stop. Raises Broken when there is none."""
    fit, trouble = (list(shop.slots), "") if shop.is_trusting else fit_slots(shop.slots.values(), shop.settings.folder)
    if introduce(site, shop, signals, trouble="" if fit else trouble):
        if trouble:
            _LOG.error("out of service, see `sotabench doctor`: %s", trouble)
        if not fit:
            raise Broken("expected a slot that can run strangers' code, found none; `sotabench doctor` says why")
        threading.Thread(target=_sweep_daily, args=(shop,), daemon=True).start()
        room = Room(shop.settings.folder, partial(hello, site, shop))
        run_slots(partial(claim, site, room), fit, partial(run_one, site, shop, signals), signals)


def claim(site: RunnersSite, room: Room, slot: int) -> Job | None:
    """A build for the slot; the site gives none while it is told that there is no room."""
    room.report()
    return site.claim(slot)


def run_one(site: RunnersSite, shop: Shop, signals: Signals, job: Job, slot: int) -> None:
    """One job in one slot."""
    folder = shop.attempt_folder(slot)
    run_attempt(site, job, slot, folder, lambda attempt: run_build(attempt, shop), signals)


def introduce(site: RunnersSite, shop: Shop, signals: Signals, *, trouble: str = "") -> bool:
    """Tell the site what this runner is, however long it takes to answer; False when told to stop meanwhile."""
    while not signals.drain.is_set():
        try:
            found = hello(site, shop, trouble)
        except SiteUnreachable as error:
            _LOG.warning("the site does not answer yet: %s", error)
            signals.drain.wait(_PAUSE)
        except SiteRefused as error:
            raise Misconfigured(f"expected the site to know this runner's token, found: {error}") from error
        else:
            _LOG.info("serves %s as %r, %d slots", site.url, found["name"], len(shop.slots))
            return True
    return False


def hello(site: RunnersSite, shop: Shop, trouble: str) -> Json:
    """Tell the site what this runner is, and why it is not in service. Raises SiteRefused, SiteUnreachable."""
    facts = {"hardware": dict(shop.hardware), "packages": dict(shop.base.held), "slots": len(shop.slots)}
    return site.hello(facts, is_trusting=shop.is_trusting, trouble=trouble)


def _stop_with_parent(signals: Signals, site: RunnersSite) -> None:
    """Stop what runs when standard input ends, which it does when the parent is gone, however it ended."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    site.is_gone.set()
    signals.told()
    signals.told()


def _sweep_daily(shop: Shop) -> None:
    """Remove what no build used for long, now and once a day."""
    while True:
        try:
            _LOG.info("swept %d folders that no build used for long", shop.sweep() + remove_leftovers())
        except OSError:
            _LOG.exception("a sweep failed; the next one tries again")
        threading.Event().wait(_DAY)
