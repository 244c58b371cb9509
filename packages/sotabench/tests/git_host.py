"""A git host on loopback: real repositories served by git itself, and an API that says what a test wants."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_CLEAN = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class GitHost:
    """`name` is the host with its port; `seen` are the requests to its API as (method, path, headers, body)."""

    def __init__(self, folder):
        self.folder, self.seen, self.api = folder, [], {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.host = self
        self._server.daemon_threads = True
        self.name = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def push(self, path, files, *, branch="main"):
        """Commit these files to a branch of the repository, which is made when it is new; the commit."""
        bare, work = self.folder / f"{path}.git", self.folder / "work" / path
        if not bare.exists():
            _git("init", "--quiet", "--bare", f"--initial-branch={branch}", str(bare))
            _git("init", "--quiet", f"--initial-branch={branch}", str(work))
        _git("-C", str(work), "checkout", "--quiet", "-B", branch)
        for name, text in files.items():
            (work / name).write_text(text)
        _git("-C", str(work), "add", "--all")
        _git("-C", str(work), "commit", "--quiet", "--allow-empty", "-m", "a commit")
        _git("-C", str(work), "push", "--quiet", "--force", str(bare), f"HEAD:refs/heads/{branch}")
        return _git("-C", str(work), "rev-parse", "HEAD").strip()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer()

    do_POST = do_GET  # noqa: N815 - http.server calls it so

    def _answer(self):
        host = self.server.host
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        for start, (status, said) in host.api.items():
            if self.path.startswith(start):
                host.seen.append((self.command, self.path, dict(self.headers), body))
                content = json.dumps(said).encode()
                headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
                if status in {301, 302, 307}:
                    headers["Location"] = said
                return self._send(status, headers, content)
        environment = _CLEAN | {
            "GIT_PROJECT_ROOT": str(host.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return self._send(status, headers | {"Content-Length": str(len(content))}, content)

    def _send(self, status, headers, content):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


def _git(*arguments):
    return subprocess.run(["git", *arguments], env=_CLEAN, capture_output=True, text=True, check=True).stdout
