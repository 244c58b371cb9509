"""Secrets at rest: what the site has to use again is kept encrypted under a key that follows from its secret key.

It protects a copy of the database that comes without the secret key. It does not protect against whoever can read
the site's folder or memory, and a site whose secret key is lost has to make all of these secrets anew.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from sotabench.errors import Broken


def seal(text: str) -> str:
    """The text, encrypted and authenticated; nothing stays nothing."""
    return _box().encrypt(text.encode()).decode("ascii") if text else ""


def unseal(sealed: str) -> str:
    """The text again. Raises Broken when it was sealed under another secret key."""
    if not sealed:
        return ""
    try:
        return _box().decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise Broken(
            "expected a secret sealed under this site's secret key; was the key changed? make it anew"
        ) from error


def _box() -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"sotabench secrets at rest").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
