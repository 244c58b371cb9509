"""Files on Google Drive, from a server on loopback that answers as Google's does; Google itself is not asked here."""

import http.server
import importlib
import sys
import threading
import urllib.parse

import pytest

from torchbench.errors import TorchbenchError

drive = importlib.import_module("torchbench.datasets.utils")
WEIGHTS = bytes(range(256)) * 1000
MD5 = "1da708a75e25110b1341d16814feb52d"  # by md5sum


class Drive(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.server.asked.append(asked)
        text = b"<html><title>Google Drive - Quota exceeded</title>"
        kind, body = ("text/html; charset=utf-8", text)
        if asked["id"] == "open" and asked["confirm"] == "t" and asked["export"] == "download":
            kind, body = "application/octet-stream", WEIGHTS
        self.send_response(404 if asked["id"] == "missing" else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.breaks_off else body)

    def log_message(self, *words):
        pass


@pytest.fixture
def google(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drive)
    server.asked, server.breaks_off = [], False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(drive, "DRIVE", f"http://127.0.0.1:{server.server_port}/download")
    monkeypatch.setitem(sys.modules, "gdown", None)  # as where it is not installed
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_comes_without_another_package_and_is_not_fetched_twice(google, tmp_path, capsys):
    for _ in range(2):
        drive.download_file_from_google_drive("open", str(tmp_path / "nets"), filename="net.pth")
    assert (tmp_path / "nets/net.pth").read_bytes() == WEIGHTS
    assert google.asked == [{"id": "open", "export": "download", "confirm": "t"}]
    assert f"{tmp_path}/nets/net.pth is there already" in capsys.readouterr().out


def test_without_a_name_it_is_called_by_its_id_and_the_digest_is_checked(google, tmp_path):
    drive.download_file_from_google_drive("open", tmp_path, md5=MD5)
    assert (tmp_path / "open").read_bytes() == WEIGHTS


def test_another_digest_is_told_and_leaves_nothing(google, tmp_path):
    with pytest.raises(TorchbenchError, match=f"expected MD5 {'0' * 32} of file open on Google Drive, found"):
        drive.download_file_from_google_drive("open", tmp_path, md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file_id", "found"), [("closed", "a page: Google Drive - Quota exceeded"), ("missing", "HTTP Error 404")]
)
def test_a_page_in_the_place_of_the_file_is_told_and_leaves_nothing(google, tmp_path, file_id, found):
    with pytest.raises(TorchbenchError, match=f"expected file {file_id} from Google Drive, found {found}.*gdown"):
        drive.download_file_from_google_drive(file_id, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(google, tmp_path):
    google.breaks_off = True
    with pytest.raises(TorchbenchError, match="expected 256,000 bytes of file open from Google Drive, found 128,000"):
        drive.download_file_from_google_drive("open", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_gdown_does_it_where_it_is_installed(google, tmp_path, monkeypatch):
    class Gdown:
        @staticmethod
        def download(*, id, output, **_):
            (tmp_path / "net.pth").write_bytes(id.encode())
            assert output == str(tmp_path / "net.pth")

    monkeypatch.setitem(sys.modules, "gdown", Gdown)
    drive.download_file_from_google_drive("open", str(tmp_path), "net.pth")
    assert (tmp_path / "net.pth").read_bytes() == b"open"
    assert google.asked == []
