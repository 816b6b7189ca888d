"""MNIST whole, other folders, and every way in which files are damaged."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from conftest import idx_bytes, write_dataset

from initlab.data import datasets
from initlab.data.cache import cache_folder, sha256, unpack
from initlab.data.idx import map_idx
from initlab.errors import DataError, StorageError, UsageError

OFFICIAL = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION = Path("/usr/share/datasets/fashion-mnist")


def open_anew(name="mnist", path=None):
    datasets._opened.cache_clear()
    return datasets.open_dataset(name, path)


class TestMnist:
    def test_has_the_numbers_of_the_official_distribution(self):
        mnist = open_anew()
        shapes = {"images": (28, 28), "labels": ()}
        for part, digest in OFFICIAL.items():
            array = getattr(mnist, part)
            content = idx_bytes(np.asarray(array).reshape(len(array), *shapes[part.split("_")[1]]))
            assert hashlib.sha256(content).hexdigest() == digest

    def test_counts_mean_and_deviation_are_the_published_ones(self):
        mnist = open_anew()
        assert mnist.train_images.shape == (60_000, 784)
        assert mnist.test_images.shape == (10_000, 784)
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(mnist.train_labels).tolist() == counts
        assert mnist.train_images.mean() == pytest.approx(33.3184, abs=1e-4)
        assert mnist.train_images.std() == pytest.approx(78.5675, abs=1e-4)
        assert (np.asarray(mnist.train_images).max(axis=0) == 0).sum() == 67
        assert (mnist.pixels, mnist.classes) == (784, 10)

    def test_is_mapped_not_read(self):
        images = open_anew().train_images
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable

    def test_a_damaged_installation_is_named(self, monkeypatch, tmp_path):
        package = Path(datasets.__file__).parent / "mnist"
        copy = tmp_path / "initlab.data" / "mnist"
        copy.mkdir(parents=True)
        for file in package.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / "t10k-labels-idx1-ubyte.gz").write_bytes(b"short")
        monkeypatch.setattr(datasets, "files", lambda _: copy.parent)
        with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz: missing or damaged; install"):
            open_anew()


class TestCache:
    @pytest.fixture
    def packed(self, tmp_path, monkeypatch):
        monkeypatch.setenv("INITLAB_CACHE", str(tmp_path / "cache"))
        return write_dataset(tmp_path / "packed", packed=True)

    def test_is_filled_once_and_used_again(self, packed):
        first, _ = unpack(packed / "train-images-idx3-ubyte.gz")
        when = first.stat().st_mtime_ns
        again, digest = unpack(packed / "train-images-idx3-ubyte.gz")
        assert (again, again.stat().st_mtime_ns) == (first, when)
        assert sha256(first) == digest

    @pytest.mark.parametrize("harm", ["cut", "empty", "flip", "grow"])
    def test_a_damaged_cache_is_mended(self, packed, harm):
        expected = open_anew(path=packed).train_images.copy()
        for cached in cache_folder().iterdir():
            content = bytearray(cached.read_bytes())
            if harm == "flip":
                content[len(content) // 2] ^= 1
            changed = {"cut": content[: len(content) // 2], "empty": b"", "grow": content + b"x"}
            cached.write_bytes(changed.get(harm, content))
        assert (open_anew(path=packed).train_images == expected).all()
        assert all(sha256(file) in file.name for file in cache_folder().iterdir())

    def test_a_half_written_file_of_a_killed_process_is_never_used(self, packed):
        cache_folder().mkdir()
        (cache_folder() / "tmpabc.part").write_bytes(b"half")
        assert open_anew(path=packed).train_images.shape == (600, 16)

    def test_a_cache_that_cannot_be_written_is_reported(self, packed, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("INITLAB_CACHE", str(tmp_path / "file"))
        with pytest.raises(StorageError, match="set INITLAB_CACHE"):
            open_anew(path=packed)

    def test_a_bomb_is_refused(self, packed, monkeypatch):
        monkeypatch.setattr("initlab.data.cache.LARGEST", 1000)
        with pytest.raises(DataError, match="holds more than 1,000 bytes"):
            open_anew(path=packed)
        assert not list(cache_folder().glob("*.part"))


class TestFolder:
    def test_plain_and_packed_files_are_the_same_dataset(self, tmp_path):
        plain = open_anew(path=write_dataset(tmp_path / "a"))
        packed = open_anew(path=write_dataset(tmp_path / "b", packed=True))
        assert plain.sha256 == packed.sha256
        assert (plain.train_images == packed.train_images).all()
        assert (plain.pixels, plain.classes) == (16, 3)

    def test_other_numbers_are_another_dataset(self, tmp_path):
        one = open_anew(path=write_dataset(tmp_path / "a"))
        other = open_anew(path=write_dataset(tmp_path / "b", seed=1))
        assert one.sha256 != other.sha256

    @pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's dataset-fashion-mnist")
    def test_fashion_mnist_as_debian_packs_it(self):
        fashion = open_anew(path=FASHION)
        assert fashion.train_images.shape == (60_000, 784)
        assert np.bincount(fashion.train_labels).tolist() == [6000] * 10
        assert np.bincount(fashion.test_labels).tolist() == [1000] * 10

    @pytest.mark.parametrize("keep", [0, 3, 4, 9, 15, 16, 17, 5000, -1])
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_file_cut_off_anywhere_is_named(self, tmp_path, keep, packed):
        folder = write_dataset(tmp_path / "cut", packed)
        file = folder / ("train-images-idx3-ubyte" + (".gz" if packed else ""))
        file.write_bytes(file.read_bytes()[:keep])
        with pytest.raises(DataError, match=file.name) as error:
            open_anew(path=folder)
        assert "\n" not in str(error.value)

    def test_a_packed_file_whose_content_is_cut_off_is_named_not_its_cached_copy(self, tmp_path):
        folder = write_dataset(tmp_path / "cut", packed=True)
        file = folder / "t10k-images-idx3-ubyte.gz"
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-7]))
        with pytest.raises(DataError, match=r"cut/t10k-images-idx3-ubyte\.gz: truncated: 3,209 bytes"):
            open_anew(path=folder)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("train-labels-idx1-ubyte", b"no", "not an IDX file"),
            ("train-labels-idx1-ubyte", idx_bytes(np.zeros((600, 1))), "not an IDX file"),
            ("train-labels-idx1-ubyte", idx_bytes(np.zeros(599)), "600 train images but 599 train labels"),
            ("train-labels-idx1-ubyte", idx_bytes(np.zeros(600)) + b"x", "too long"),
            ("train-labels-idx1-ubyte", idx_bytes(np.zeros(0)), "empty"),
            ("t10k-images-idx3-ubyte", idx_bytes(np.zeros((200, 5, 4))), "differ in size"),
            ("train-images-idx3-ubyte", bytes([0, 0, 8, 3]) + b"\xff" * 12, "truncated"),
        ],
    )
    def test_wrong_content_is_named(self, small_data, name, content, message):
        (small_data / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            open_anew(path=small_data)

    def test_a_missing_file_or_folder_is_named(self, small_data):
        (small_data / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DataError, match="has neither t10k-labels-idx1-ubyte nor"):
            open_anew(path=small_data)
        with pytest.raises(DataError, match="no such folder"):
            open_anew(path=small_data / "nowhere")
        with pytest.raises(UsageError, match="did you mean 'mnist'"):
            open_anew("minst")


def test_dimensions_whose_product_overflows_are_refused(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(bytes([0, 0, 8, 3]) + b"\xff\xff\xff\xff" * 3)
    with pytest.raises(DataError):
        map_idx(file, 3)


def test_a_notebook_shows_how_large_a_dataset_is():
    shown = repr(open_anew())
    assert shown == "<Dataset: 60000 training and 10000 test images of 784 pixels, 10 classes>"
