"""The site's own settings over a folder that is thrown away; only the password hasher differs, for its speed."""

import atexit
import os
import shutil
import tempfile

FOLDER = tempfile.mkdtemp(prefix="sotabench-tests-")
os.mkdir(f"{FOLDER}/static")  # noqa: PTH102 - WhiteNoise warns when there is none
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ |= {"SOTABENCH_DATA": FOLDER, "SOTABENCH_SECRET_KEY": "for tests alone", "SOTABENCH_LOG": "text"}

from sotabench.server.settings import *  # noqa: E402, F403 - the environment comes first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if "sqlite3" in DATABASES["default"]["ENGINE"]:  # noqa: F405 - a file, as on a real site, so that threads can share it
    DATABASES["default"]["TEST"] = {"NAME": f"{FOLDER}/test.sqlite3"}  # noqa: F405
