"""Uploads of data sets in parts, below `/api/v0/upload/`, and the address to which a part's bytes are put."""

from typing import Annotated, Any, cast

from django.core import signing
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from ninja import Router, Schema
from pydantic import Field

from sotabench.server.accounts.models import Scope, User
from sotabench.server.api.gate import Text, TokenFor, refusal
from sotabench.server.datasets import services
from sotabench.server.datasets.models import Part, Upload
from sotabench.server.errors import Refused
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.queries import repository_for

ADDRESS_HOLDS_FOR = 3600
_SALT = "sotabench.upload.part"
_MOST = 2**63 - 1
Number = Annotated[int, Field(ge=0, le=_MOST)]
Json = dict[str, Any]

router = Router(auth=TokenFor(Scope.SUBMIT))


class NewUpload(Schema):
    """The file that will be sent."""

    repository: Text
    path: Text
    size: Number
    sha256: Text
    part_size: Number


class UploadNumber(Schema):
    """Which upload."""

    upload_id: Number


class PartSent(Schema):
    """A part as the client hands it back; what else it says of it is not believed."""

    upload: Number
    no: Number
    sha256: Text | None = None
    etag: Text | None = None


@router.post("upload/start/")
def start(request: HttpRequest, body: NewUpload) -> Json:
    """A new upload, the same one again to go on with, or word that the repository has the file."""
    user = cast("User", request.user)
    repository = repository_for(user, identity_of(body.repository))
    wanted = services.Announcement(body.path, body.size, body.sha256, body.part_size)
    upload, exists = services.start_upload(user, repository, wanted)
    return _upload_json(upload) | ({"state": "exists"} if exists else {})


@router.post("upload/part/reserve/")
def reserve_part(request: HttpRequest, body: UploadNumber) -> Json:
    """A part to send, or `{}` when none is left."""
    part = services.reserve_part(cast("User", request.user), body.upload_id)
    return _part_json(request, part) if part else {}


@router.post("upload/part/start/")
def start_part(request: HttpRequest, body: PartSent) -> Json:
    """The part, with the address to put its bytes to."""
    part = services.start_part(cast("User", request.user), body.upload, body.no, sha256=body.sha256 or "")
    return _part_json(request, part)


@router.post("upload/part/end/")
def end_part(request: HttpRequest, body: PartSent) -> Json:
    """The part, finished, when its ETag is that of the bytes that came."""
    part = services.end_part(cast("User", request.user), body.upload, body.no, etag=body.etag or "")
    return _part_json(request, part)


@router.post("upload/end/")
def end(request: HttpRequest, body: UploadNumber) -> Json:
    """The upload, when the whole file is what was announced."""
    return _upload_json(services.end_upload(cast("User", request.user), body.upload_id))


@csrf_exempt
@require_http_methods(["PUT"])
def put_part(request: HttpRequest, signed: str) -> HttpResponse:
    """The bytes of a part come in. The address itself is the permission: signed, for one part, for an hour."""
    try:
        part = signing.loads(signed, salt=_SALT, max_age=ADDRESS_HOLDS_FOR)
    except signing.BadSignature:
        return refusal(403, "expected an address that upload/part/start/ gave within the hour, found another")
    try:
        etag = services.receive_part(part, request)
    except UnreadablePostError:
        return refusal(400, "expected the part's bytes, found that they stopped coming; send it again")
    except Refused as error:
        return refusal(error.status, str(error))
    return HttpResponse(headers={"ETag": f'"{etag}"'})


def _upload_json(upload: Upload) -> Json:
    fields = ("id", "path", "sha256", "size", "part_size", "part_number", "state")
    return {"repository": str(upload.repository)} | {field: getattr(upload, field) for field in fields}


def _part_json(request: HttpRequest, part: Part) -> Json:
    address = reverse("upload-part", args=[signing.dumps(part.pk, salt=_SALT)])
    times = {"started_time": part.started_time, "finished_time": part.finished_time}
    return {
        "upload": part.upload_id,
        "no": part.no,
        "size": part.size,
        "sha256": part.sha256 or None,
        "etag": part.etag or None,
        "state": part.state,
        "presigned_url": request.build_absolute_uri(address) if part.state == Part.State.STARTED else None,
    } | {name: time.isoformat() if time else None for name, time in times.items()}
