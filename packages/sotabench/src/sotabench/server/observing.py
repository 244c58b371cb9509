"""What whoever runs the site can see: a health check, metrics for Prometheus, one line of JSON a request."""

import hmac
import logging
import shutil
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from benchrecord import printable
from sotabench.addresses import unmapped

_LOG = logging.getLogger("sotabench.requests")
_REQUESTS = Counter("sotabench_requests", "Requests answered", ["method", "view", "status"])
_SECONDS = Histogram("sotabench_request_seconds", "Time to answer a request", ["view"])
_KEYS = frozenset({"upload-part", "account_reset_password_from_key", "account_confirm_email"})
"""Views whose address is a key: whoever read it in a log could use it."""
_QUIET = frozenset({"/healthz", "/metrics", "/api/runner/claim", "/api/runner/renew", "/api/runner/log"})
"""What is asked all the time; logged where it does not go well."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LEAST_FREE = 16 << 20
"""Bytes; with less the database cannot be sure of its next write."""
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class WithoutKeys(logging.Filter):
    """Django names the address of whatever it refuses; one that is a key it does not name."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through, such an address replaced by its pattern."""
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            record.args = tuple(_path(request) if word == request.path else word for word in record.args)
        return True


class ObserveRequests:
    """Counts, times and logs every request; what a stranger wrote is made harmless for a terminal first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, then write down what came of it."""
        started = time.perf_counter()
        response = self._get_response(request)
        seconds = time.perf_counter() - started
        view = _view_of(request)
        method = request.method if request.method in _METHODS else "other"
        _REQUESTS.labels(method, view, response.status_code).inc()
        _SECONDS.labels(view).observe(seconds)
        if request.path not in _QUIET or response.status_code >= 400:
            _LOG.info("request", extra={"facts": _facts(request, response, seconds)})
        return response


@require_safe
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - a view
    """200 while the database answers and there is room to write, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logging.getLogger("sotabench.health").exception("the database does not answer")
        return JsonResponse({"status": "the database does not answer"}, status=503)
    if shutil.disk_usage(settings.DATA).free < _LEAST_FREE:
        return JsonResponse({"status": "the disk is full"}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics for Prometheus: for whoever has the token, or without one for this machine alone."""
    if not _may_see_metrics(request):
        return HttpResponse("set SOTABENCH_METRICS_TOKEN and send it as a bearer token\n", status=403)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _may_see_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), settings.METRICS_TOKEN.encode())
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return unmapped(request.META.get("REMOTE_ADDR", "")) in _LOOPBACK and not forwarded


def _view_of(request: HttpRequest) -> str:
    """The route's pattern, never the address itself: a stranger must not make new series."""
    return request.resolver_match.route if request.resolver_match else "none"


def _path(request: HttpRequest) -> str:
    """The address; of one that is a key its pattern, also where the request was refused before it was looked up."""
    try:
        found = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return printable(request.path, 300)
    return f"/{found.route}" if found.view_name in _KEYS else printable(request.path, 300)


def _facts(request: HttpRequest, response: HttpResponseBase, seconds: float) -> dict[str, object]:
    user = getattr(request, "user", None)
    return {
        "method": printable(request.method or "", 20),
        "path": _path(request),
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 1),
        "user": user.pk if user is not None and user.is_authenticated else None,
    }
