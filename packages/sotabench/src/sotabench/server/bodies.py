"""How much a request may bring. What a form or a file brings is spooled to disk, so too much is refused unread."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, JsonResponse

MOST_OF_A_FORM = 5 << 20
MOST_OF_A_CALL = 520 << 20
"""A submission, or a part of a data set, is 512 MiB at the most; the rest is for what stands around the files."""


class BodyLimit:
    """Turns too much away by its announced length, which is all of it that the server would ever read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, or refuse."""
        most = MOST_OF_A_CALL if request.path_info.startswith("/api/") else MOST_OF_A_FORM
        announced = str(request.META.get("CONTENT_LENGTH") or "0")
        if not announced.isdigit() or int(announced) <= most:
            return self._get_response(request)
        return JsonResponse({"message": f"expected at most {most} bytes, found {announced[:30]}"}, status=413)
