"""Fetching, from a server of the test's own: what is asked for, what is refused, what is left behind."""

import gzip
import hashlib
import os
import re
import struct
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import write_dataset
from typer.testing import CliRunner

from initlab.cli import app
from initlab.data import datasets, downloads
from initlab.data.downloads import SOURCES, Source, download_folder, fetch
from initlab.errors import DataError, StorageError, UsageError

FASHION = Path("/usr/share/datasets/fashion-mnist")
FIRST = "train-images-idx3-ubyte.gz"


class Server:
    """Files by path, as `(status, announced length, content)`; remembers what was asked for."""

    def __init__(self):
        self.files, self.asked = {}, []
        handler = type("Handler", (_Handler,), {"answers": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def mirror(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}/"

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answers.asked.append(self.path)
        status, length, content = self.answers.files.get(self.path, (404, 0, b""))
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Two mirrors of a small `kmnist`, in an empty cache."""
    monkeypatch.setenv("INITLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    datasets._opened.cache_clear()
    server = Server()
    packed = {
        file.name: file.read_bytes() for file in write_dataset(tmp_path / "made", packed=True).iterdir()
    }
    order = {name: packed[name] for name in SOURCES["kmnist"].sha256}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in order.items()}
    mirrors = (server.mirror("one"), server.mirror("two"))
    monkeypatch.setitem(SOURCES, "kmnist", Source(mirrors, digests))
    for name, content in packed.items():
        for mirror in ("one", "two"):
            server.files[f"/{mirror}/{name}"] = (200, len(content), content)
    yield server
    server.close()


def left():
    folder = download_folder("kmnist")
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def test_what_is_fetched_can_be_opened_and_is_not_fetched_twice(server, tmp_path):
    assert len(fetch("kmnist")) == 4
    assert left() == sorted(SOURCES["kmnist"].sha256)
    assert datasets.open_dataset("kmnist").sha256 == datasets.open_dataset(path=tmp_path / "made").sha256
    asked = len(server.asked)
    assert fetch("kmnist") == []
    assert len(server.asked) == asked == 4


def test_opening_uses_no_network_and_says_what_to_do(server):
    with pytest.raises(DataError, match="run `initlab fetch kmnist`") as error:
        datasets.open_dataset("kmnist")
    assert all(name in str(error.value) for name in SOURCES["kmnist"].sha256)
    assert str(download_folder("kmnist")) in str(error.value)
    assert server.asked == []


@pytest.mark.usefixtures("server")
def test_files_put_there_by_hand_are_used_gzipped_or_not():
    write_dataset(download_folder("kmnist"), packed=True, seed=1)
    packed = datasets.open_dataset("kmnist")
    for file in download_folder("kmnist").iterdir():
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    datasets._opened.cache_clear()
    assert datasets.open_dataset("kmnist").sha256 == packed.sha256


def damaged(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda content: (200, len(content), damaged(content)), "damaged, or another file: its SHA-256 is "),
        (lambda content: (200, None, content[:-9]), "damaged, or another file: its SHA-256 is "),
        (lambda content: (200, len(content), content[:-9]), "truncated: "),
        (lambda content: (200, 100_000_001, content), "has 100,000,001 bytes, more than 67,108,864"),
        (lambda _: (503, 0, b""), "HTTP Error 503"),
        (lambda _: (404, 0, b""), "HTTP Error 404"),
    ],
    ids=["wrong digest", "cut, length unknown", "truncated", "too large", "server error", "not there"],
)
def test_a_bad_mirror_is_reported_and_leaves_nothing_and_a_good_one_takes_its_place(server, answer, message):
    original = server.files[f"/one/{FIRST}"]
    for mirror in ("one", "two"):
        server.files[f"/{mirror}/{FIRST}"] = answer(original[2])
    with pytest.raises(DataError) as error:
        fetch("kmnist")
    for mirror in ("one", "two"):
        assert f"{server.mirror(mirror)}{FIRST}: {message}" in str(error.value)
    assert f"into {download_folder('kmnist')}" in str(error.value)
    assert left() == []
    server.files[f"/two/{FIRST}"] = original
    assert len(fetch("kmnist")) == 4
    assert server.asked[-5:-3] == [f"/one/{FIRST}", f"/two/{FIRST}"]


def test_the_message_on_a_wrong_digest_gives_both_digests(server):
    _, length, content = server.files[f"/one/{FIRST}"]
    for mirror in ("one", "two"):
        server.files[f"/{mirror}/{FIRST}"] = (200, length, damaged(content))
    digest = hashlib.sha256(damaged(content)).hexdigest()
    with pytest.raises(DataError, match=f"its SHA-256 is {digest}, not {SOURCES['kmnist'].sha256[FIRST]}"):
        fetch("kmnist")


def test_a_stream_of_unknown_length_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(downloads, "LARGEST", 1000)
    for mirror in ("one", "two"):
        content = server.files[f"/{mirror}/{FIRST}"][2]
        server.files[f"/{mirror}/{FIRST}"] = (200, None, content)
    with pytest.raises(DataError, match="has more than 1,000 bytes"):
        fetch("kmnist")
    assert left() == []


def test_a_damaged_file_is_fetched_anew_and_kept_while_that_fails(server):
    fetch("kmnist")
    file = download_folder("kmnist") / FIRST
    file.write_bytes(b"short")
    answers, server.files = server.files, {}
    with pytest.raises(DataError, match="HTTP Error 404"):
        fetch("kmnist")
    assert file.read_bytes() == b"short"
    server.files = answers
    assert fetch("kmnist") == [FIRST]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == SOURCES["kmnist"].sha256[FIRST]


def test_offline_the_message_says_which_file_to_put_where(server):
    server.close()
    with pytest.raises(DataError, match=r"refused.*by hand: train-images.*t10k-labels.*, into ") as error:
        fetch("kmnist")
    assert "\n" not in str(error.value)
    assert left() == []


@pytest.mark.usefixtures("server")
def test_a_full_disk_is_no_fault_of_the_mirror_and_leaves_nothing(monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=rf"{FIRST}: cannot write: No space left"):
        fetch("kmnist")
    assert left() == []


@pytest.mark.usefixtures("server")
def test_progress_begins_at_0_and_ends_at_the_size():
    reports = []
    fetch("kmnist", lambda *report: reports.append(report))
    sizes = {name: (download_folder("kmnist") / name).stat().st_size for name in SOURCES["kmnist"].sha256}
    assert [report for report in reports if report[1] == 0] == [
        (name, 0, size) for name, size in sizes.items()
    ]
    assert reports[-1][1:] == (sizes[reports[-1][0]],) * 2


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="did you mean 'kmnist'"):
        fetch("kmnits")


def test_every_mirror_is_asked_over_https():
    assert all(mirror.startswith("https://") for source in SOURCES.values() for mirror in source.mirrors)


@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_the_published_fashion_mnist_is_debians_with_its_names_and_times(tmp_path, monkeypatch):
    """Debian took name and time out of the gzip headers; put back, the files have the published digests."""
    for name, digest in SOURCES["fashion_mnist"].sha256.items():
        stripped = (FASHION / name).read_bytes()
        time = 1504176606 if name.startswith("train") else 1504176627
        stem = name.removesuffix(".gz").encode()
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + b"\x00" + stripped[9:10] + stem + b"\0"
        assert hashlib.sha256(header + stripped[10:]).hexdigest() == digest
    monkeypatch.setenv("INITLAB_CACHE", str(tmp_path))
    download_folder("fashion_mnist").parent.mkdir(parents=True)
    download_folder("fashion_mnist").symlink_to(FASHION)
    datasets._opened.cache_clear()
    fashion = datasets.open_dataset("fashion_mnist")
    assert np.bincount(fashion.train_labels).tolist() == [6000] * 10


def test_the_command_fetches_and_lists(server):
    run = CliRunner().invoke
    rows = re.split(r"\n(?! )", run(app, ["fetch"]).stdout)[1:-1]  # a wrapped line begins with blanks
    listed = {row.split()[0]: row for row in rows}
    assert set(listed) == set(datasets.DATASETS)
    assert "not fetched" in listed["kmnist"]
    assert "spread=0.5" in listed["clusters"]
    assert server.asked == []
    assert "4 files fetched" in run(app, ["fetch", "kmnist"]).stderr
    assert "all files were there already" in run(app, ["fetch", "kmnist"]).stderr
    assert "not fetched" not in run(app, ["fetch"]).stdout.splitlines()[3]


def test_nothing_but_fetch_opens_an_address(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    for name in ("mnist", "clusters", "teacher"):
        datasets.open_dataset(name)
