"""Files are whole or absent, whoever writes at the same time and whatever goes wrong."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from initlab import files


@pytest.fixture(params=[files.write, files.write_shared], ids=["write", "write_shared"])
def write(request):
    return request.param


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path, write):
    for content in (b"old", b"new"):
        write(tmp_path / "a", content)
        assert (tmp_path / "a").read_bytes() == content
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, write, step, error):
    write(tmp_path / "a", b"old")

    def fail(current, _path):
        if current == step:
            raise error

    monkeypatch.setattr(files, "checkpoint", fail)
    with pytest.raises(type(error)):
        write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_many_writers_at_once_leave_the_whole_content_of_one_of_them(tmp_path):
    contents = [bytes([i]) * 100_000 for i in range(16)]
    with ThreadPoolExecutor(16) as executor:
        list(executor.map(lambda content: files.write_shared(tmp_path / "a", content), contents))
    assert (tmp_path / "a").read_bytes() in contents
    assert os.listdir(tmp_path) == ["a"]
