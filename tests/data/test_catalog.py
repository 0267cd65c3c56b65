"""Downloads are tried against a real server on this machine, and without one."""

import hashlib
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from minigpt_tui.data.catalog import CATALOG, CatalogEntry, cache_folder, download
from minigpt_tui.data.storage.errors import UserError

TEXT = b"To be, or not to be, that is the question.\n" * 5000


class Server(ThreadingHTTPServer):
    """Sends TEXT at /text, half of it at /half, an endless stream at /endless, no HTTP at /other."""

    daemon_threads = True
    requests = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.requests += 1
        if self.path == "/other":
            self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
            return
        if self.path not in ("/text", "/half", "/endless"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        if self.path == "/endless":
            try:
                while True:
                    self.wfile.write(TEXT)
            except OSError:
                return
        self.wfile.write(TEXT if self.path == "/text" else TEXT[: len(TEXT) // 2])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def entry(server: Server, path: str) -> CatalogEntry:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return CatalogEntry("hamlet", "One line of it.", url, hashlib.sha256(TEXT).hexdigest(), len(TEXT))


def test_a_download_is_checked_stored_and_not_repeated(server: Server, tmp_path: Path) -> None:
    fractions: list[float] = []
    path = download(entry(server, "/text"), tmp_path, fractions.append)
    assert path == tmp_path / "corpora" / "hamlet.txt"
    assert path.read_bytes() == TEXT
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 1
    assert download(entry(server, "/text"), tmp_path) == path
    assert server.requests == 1
    assert [file.name for file in path.parent.iterdir()] == ["hamlet.txt"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/half", "checksum"), ("/endless", "checksum"), ("/nowhere", "Not Found"), ("/other", "not HTTP")],
)
def test_what_is_not_the_file_is_refused_and_not_stored(server: Server, tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        download(entry(server, path), tmp_path)
    assert "'tales'" in str(caught.value)
    assert str(tmp_path / "corpora" / "hamlet.txt") in str(caught.value)
    assert not (tmp_path / "corpora").exists()


def test_without_a_server_one_sentence_offers_what_works(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    known = replace(CATALOG["tinyshakespeare"], url=f"http://127.0.0.1:{port}/input.txt")
    with pytest.raises(UserError) as caught:
        download(known, tmp_path)
    message = str(caught.value)
    assert message.startswith("tinyshakespeare could not be downloaded (")
    assert "train on the built-in corpus 'tales'" in message
    assert str(tmp_path / "corpora" / "tinyshakespeare.txt") in message
    assert "\n" not in message


def test_a_file_put_in_place_by_hand_counts_when_it_is_the_right_one(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "corpora" / "hamlet.txt"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    assert download(entry(server, "/text"), tmp_path) == path
    path.write_bytes(TEXT[:-1])
    with pytest.raises(UserError, match="not the expected file"):
        download(entry(server, "/text"), tmp_path)
    assert path.read_bytes() == TEXT[:-1]
    assert server.requests == 0


def test_a_cache_that_cannot_be_written_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpora").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot be stored"):
        download(entry(server, "/text"), tmp_path)


def test_the_cache_follows_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cache"


def test_the_catalogue_names_the_address_and_the_checksum() -> None:
    known = CATALOG["tinyshakespeare"]
    assert known.url == "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
    assert known.sha256 == "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    assert known.n_bytes == 1_115_394
    assert all(name == entry.name for name, entry in CATALOG.items())
    assert CATALOG["tales"].url is None
