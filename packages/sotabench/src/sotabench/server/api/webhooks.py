"""`/webhooks/<number>`: where a git host says that something was pushed. No cookie counts here, the signature alone.

One address for each repository, and a secret of its own. What is done in the request is a row or two.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sotabench.server.api.gate import refusal
from sotabench.server.builds.pushes import take_delivery
from sotabench.server.errors import Refused
from sotabench.server.repositories.keys import webhook_secret
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.payloads import delivery_key, event_of, is_signed, said_in

MOST_BYTES = 5 << 20


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, key: int) -> HttpResponse:
    """202 and what came of it; 403 alike for a wrong signature and for a repository that is not there."""
    announced = str(request.META.get("CONTENT_LENGTH") or "0")
    if not announced.isdigit() or int(announced) > MOST_BYTES:
        return refusal(413, f"expected at most {MOST_BYTES} bytes")
    repository = Repository.objects.filter(pk=key).first() if key < 2**63 else None
    body, headers = request.body, request.headers
    if not is_signed(headers, body, webhook_secret(repository) if repository else "") or repository is None:
        return refusal(403, "expected a message signed with this repository's secret; is it the newest one?")
    try:
        said = said_in(headers, body)
        outcome, build = take_delivery(repository, said, key=delivery_key(headers, body), event=event_of(headers))
    except Refused as error:
        return refusal(error.status, str(error))
    return JsonResponse({"outcome": outcome, "build": build.number if build else None}, status=202)
