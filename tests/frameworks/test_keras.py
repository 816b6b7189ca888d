"""Keras models: on PyTorch and on JAX the same weights have the same numbers."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("keras") is None:  # importing it chooses a backend for good
    pytest.skip("needs Keras", allow_module_level=True)

PROGRAM = """
import json, sys
import keras, numpy as np
from keras import layers as L
from initlab.keras import diagnose

rng = np.random.default_rng(0)
def weights(model):
    model.set_weights([rng.standard_normal(w.shape).astype("f") * 0.3 if w.ndim > 1 else w
                       for w in model.get_weights()])
    return model
def chain():
    return weights(keras.Sequential([L.Input((20,)), *[L.Dense(16, activation="gelu") for _ in range(5)],
                                     L.Dense(3)]))
def resnet():
    given = z = L.Input((8, 8, 3))
    z = L.Conv2D(8, 3, padding="same")(z)
    for _ in range(2):
        branch = L.Activation("relu")(L.BatchNormalization()(z))
        z = L.Add()([z, L.Conv2D(8, 3, padding="same", use_bias=False)(branch)])
    return weights(keras.Model(given, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(z))))
class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = L.Dense(16), L.LayerNormalization(), L.Dense(1)
    def call(self, x):
        return self.last(keras.activations.tanh(self.norm(self.first(x))))
def subclassed():
    model = Subclassed()
    model(np.zeros((2, 20), "f"))
    model.compile(loss="mean_absolute_error")
    return weights(model)

x, labels = rng.standard_normal((30, 20)).astype("f"), np.arange(30) % 3
batches = {
    "chain": (x, labels),
    "resnet": (rng.random((30, 8, 8, 3)).astype("f"), labels),
    "subclassed": (x, labels[:, None].astype("f")),
}
found = {}
for build in (chain, resnet, subclassed):
    rng = np.random.default_rng(1)
    model = build()
    before = [w.tobytes() for w in model.get_weights()]
    diagnosis = diagnose(model, batches[build.__name__])
    found[build.__name__] = {
        "stages": [[s.kind, s.numbers] for s in diagnosis.stages],
        "names": [s.name.rpartition(".")[2] for s in diagnosis.stages],
        "predicted": [s.predicted_signal for s in diagnosis.stages],
        "loss": diagnosis.traces[0].loss,
        "parameters": sorted(w.name.split(".")[-1] for w in diagnosis.traces[0].weights),
        "seen": diagnosis.seen,
        "same": before == [w.tobytes() for w in model.get_weights()],
    }
try:
    diagnose(Subclassed(), batches["chain"])
except Exception as error:
    found["unbuilt"] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    """What each backend says, from a process of its own."""
    return {backend: said_on(backend) for backend in ("torch", "jax")}


def said_on(backend):
    pytest.importorskip(backend)
    own = os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], env=own, capture_output=True, text=True)
    assert not ended.returncode, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["chain", "resnet", "subclassed"])
def test_both_backends_say_the_same(found, name):
    torchs, jaxs = found["torch"][name], found["jax"][name]
    assert [kind for kind, _ in torchs["stages"]] == [kind for kind, _ in jaxs["stages"]]
    for (_, one), (_, other) in zip(torchs["stages"], jaxs["stages"], strict=True):
        assert one == pytest.approx(other, rel=2e-3, abs=1e-6, nan_ok=True)
    assert torchs["loss"] == pytest.approx(jaxs["loss"], rel=1e-4)
    assert torchs["predicted"] == pytest.approx(jaxs["predicted"], rel=1e-4, nan_ok=True)
    assert torchs["parameters"] == jaxs["parameters"]


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("name", ["chain", "resnet", "subclassed"])
def test_all_is_seen_and_nothing_changes(found, backend, name):
    assert (found[backend][name]["seen"], found[backend][name]["same"]) == (1, True)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_stages_are_the_layers(found, backend):
    said = found[backend]
    assert [kind for kind, _ in said["chain"]["stages"]] == ["linear"] * 5
    assert [kind for kind, _ in said["resnet"]["stages"]] == ["conv2d", "add", "add"]
    assert said["chain"]["names"] == ["dense", *(f"dense_{i}" for i in range(1, 5))]
    assert np.isfinite(said["chain"]["predicted"]).all()


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_compiled_loss_is_the_loss(found, backend):
    assert found[backend]["subclassed"]["loss"] == pytest.approx(found["jax"]["subclassed"]["loss"])
    assert "has no weights yet" in found[backend]["unbuilt"]
