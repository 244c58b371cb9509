"""The site as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from sotabench.server.bodies import OneCharset

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sotabench.server.settings")
application = OneCharset(get_wsgi_application())
