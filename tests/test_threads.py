"""Networks compute with one thread, wherever they are used."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import initlab
from initlab.nn import network
from initlab.nn.optimizers import Optimizer
from initlab.threads import on_one_thread, one_thread


def threads():
    """Of NumPy's linear algebra; SciPy and PyTorch bring others, which no network uses."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    numpys = [library for library in libraries if "numpy" in library["filepath"]]
    return (numpys or libraries)[0]["num_threads"]


@pytest.fixture
def two():
    with threadpool_limits(2):
        if threads() != 2:
            pytest.skip("this linear algebra has one thread at most")
        yield


@pytest.mark.usefixtures("two")
def test_a_limit_ends_with_the_outermost_context():
    with one_thread():
        assert threads() == 1
        with one_thread():
            assert threads() == 1
        assert threads() == 1
    assert threads() == 2


@pytest.mark.usefixtures("two")
def test_an_error_takes_the_limit_back():
    with pytest.raises(ZeroDivisionError):
        on_one_thread(lambda: 1 / 0)()
    assert threads() == 2


@pytest.mark.usefixtures("two")
def test_every_step_of_a_notebook_is_limited(monkeypatch):
    ensemble = initlab.initialize([5, 8, 3], ["he", "xavier"])
    x, y = np.ones((4, 5)), np.array([0, 1, 2, 0])
    counts = []
    matmul = np.matmul

    def counted(*args, **kwargs):
        counts.append(threads())
        return matmul(*args, **kwargs)

    monkeypatch.setattr(network.np, "matmul", counted)
    ensemble.forward(x)
    ensemble.loss(x, y)
    ensemble.train_step(x, y, Optimizer("sgd", lr=0.1))
    ensemble.backward(np.ones((2, 4, 3), "float32"))
    assert set(counts) == {1}
    assert len(counts) > 10
    assert threads() == 2


def test_each_thread_of_python_has_the_limit():
    counts = []

    def compute():
        with threadpool_limits(2), one_thread():
            counts.append(threads())

    with one_thread():
        computing = threading.Thread(target=compute)
        computing.start()
        computing.join()
    assert counts == [1]
