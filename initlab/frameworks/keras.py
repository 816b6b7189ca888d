"""Keras: the verdict on a person's model, on the backend that Keras runs on, PyTorch or JAX."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from initlab.errors import UsageError, require
from initlab.frameworks.models import models_of
from initlab.frameworks.steps import FirstSteps, first_steps
from initlab.frameworks.trace import Trace
from initlab.frameworks.verdict import ModelDiagnosis, judged
from initlab.nn.optimizers import OPTIMIZERS

Loss = Callable[[Any, Any], Any]

_NORMS = {
    "LayerNormalization": "layer_norm",
    "RMSNormalization": "rms_norm",
    "BatchNormalization": "batch_norm",
    "GroupNormalization": "group_norm",
}


def diagnose(
    model: keras.Model | Callable[[], keras.Model],
    batch: Any,
    *,
    loss: Loss | None = None,
    optimizer: str = "sgd",
    draws: int = 5,
) -> ModelDiagnosis:
    """Predict, before training, whether a Keras model will train; the model stays as it is.

    The numbers, their limits and the words are those of `initlab.torch.diagnose`. The model runs in training
    mode. No cure is proposed.

    Args:
        model: a model that is built, or a function that builds one, which is called under the random seeds
            0, 1, ...; all numbers are medians over these draws.
        batch: (inputs, targets), as training will show them, of two samples or more.
        loss: `loss(output, targets)`, a number. By default the loss that the model was compiled with; else
            cross-entropy for integer targets, of probabilities where the last layer's activation is softmax;
            else the mean squared error.
        optimizer: its name, as "sgd" or "adam"; those that rescale each gradient forgive more.
        draws: how many models a function builds.

    Raises:
        UsageError: for a model that is not built, a batch or loss that does not fit, an unknown optimizer, or
            another backend. What the model itself raises passes through.
    """
    OPTIMIZERS[optimizer]  # an unknown name is told here
    require(isinstance(batch, tuple | list) and len(batch) == 2, "a batch is (inputs, targets)")
    models = models_of(model, keras.Model, "keras.Model", draws, lambda seed: _drawn(model, seed))
    traces = [trace_of(each, batch, loss) for each in models]
    first = [first_steps_of(each, batch, loss, optimizer) for each in models]
    samples = len(keras.tree.flatten(batch[0])[0])
    return judged(models[0].name, traces, optimizer, samples, first)


def _drawn(build: Callable[[], keras.Model], seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build()


def trace_of(model: keras.Model, batch: Any, loss: Loss | None = None) -> Trace:
    """Of one model; the arguments are those of `diagnose`."""
    require(model.built, f"{model.name} has no weights yet: build it, or call it once on a batch")
    inputs, targets = (keras.tree.map_structure(keras.ops.convert_to_tensor, part) for part in batch)
    chosen = loss or default_loss(model)
    variables = {variable.path.replace("/", "."): variable for variable in model.trainable_variables}
    if keras.backend.backend() == "torch":
        return _trace_on_torch(model, variables, inputs, targets, chosen)
    if keras.backend.backend() == "jax":
        return _trace_on_jax(model, variables, inputs, targets, chosen)
    raise UsageError(f"Keras runs on {keras.backend.backend()}; a diagnosis needs its backend jax or torch")


def first_steps_of(model: keras.Model, batch: Any, loss: Loss | None, optimizer: str) -> FirstSteps | None:
    """Of one model; the arguments are those of `diagnose`."""
    inputs, targets = (keras.tree.map_structure(keras.ops.convert_to_tensor, part) for part in batch)
    chosen = loss or default_loss(model)
    start = {variable.path: variable.value for variable in model.trainable_variables}

    def whole_loss(parameters: Mapping[str, Any], given: Any, wanted: Any) -> Any:
        return chosen(_output(model, [parameters[name] for name in start], given), wanted)

    if keras.backend.backend() == "jax":
        from initlab.frameworks.jax_steps import first_steps_in_jax

        return first_steps_in_jax(whole_loss, start, (inputs, targets), optimizer)
    from initlab.frameworks.torch_steps import exchanged

    others = exchanged((inputs, targets))
    if others is None or not start:
        return None
    values = {name: value.detach() for name, value in start.items()}
    value, gradients = _differentiated(whole_loss, values, inputs, targets)
    return first_steps(
        value,
        gradients,
        _differentiated(whole_loss, values, *others)[1],
        values,
        lambda moved: _differentiated(whole_loss, moved, inputs, targets)[1],
        optimizer,
    )


def _differentiated(
    loss: Callable[..., Any], values: Mapping[str, Any], inputs: Any, targets: Any
) -> tuple[float, dict[str, Any]]:
    """On PyTorch: the loss and its gradients; the random states stay as they are."""
    import torch

    from initlab.frameworks.torch_trace import random_states_kept

    own = {name: value.clone().requires_grad_() for name, value in values.items()}
    with random_states_kept(), torch.enable_grad():
        value = loss(own, inputs, targets)
        tensors = torch.autograd.grad(value, list(own.values()), allow_unused=True)
    gradients = zip(own, tensors, strict=True)
    return float(value.detach()), {name: each for name, each in gradients if each is not None}


def _trace_on_jax(
    model: keras.Model, variables: Mapping[str, keras.Variable], inputs: Any, targets: Any, loss: Loss
) -> Trace:
    from initlab.frameworks.jax_trace import calls_named, trace

    def whole_loss(parameters: Mapping[str, Any], given: Any) -> Any:
        with calls_named(_layers_of(model), _NORMS):
            output = _output(model, [parameters[name] for name in variables], given)
        return loss(output, targets)

    return trace(whole_loss, {name: variable.value for name, variable in variables.items()}, inputs)


def _trace_on_torch(
    model: keras.Model, variables: Mapping[str, keras.Variable], inputs: Any, targets: Any, loss: Loss
) -> Trace:
    from initlab.frameworks.torch_trace import random_states_kept, trace_of

    own = {name: each.value.detach().clone().requires_grad_() for name, each in variables.items()}

    def compute(recorder: Any) -> Any:
        with _calls_told(model, recorder):
            return loss(_output(model, list(own.values()), inputs), targets)

    units_last = keras.config.image_data_format() == "channels_last"
    with random_states_kept():
        return trace_of(compute, own, inputs, units_last)


def _output(model: keras.Model, trainable: Sequence[Any], inputs: Any) -> Any:
    """In training mode, with these values in the place of the model's own."""
    others = [keras.ops.copy(variable.value) for variable in model.non_trainable_variables]
    # As in Keras' own training step: a model that does not ask whether it is training is not told.
    mode = {"training": True} if "training" in inspect.signature(model.call).parameters else {}
    return model.stateless_call(trainable, others, inputs, **mode)[0]


@contextmanager
def _calls_told(model: keras.Model, recorder: Any) -> Iterator[None]:
    """While it lasts, each layer of the model tells the recorder when it is called."""
    paths = {id(layer): path for path, layer in _layers_of(model).items()}
    original = keras.Layer.__call__

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if id(layer) not in paths:
            return original(layer, *args, **kwargs)
        with recorder.within(paths[id(layer)]):
            kind = _NORMS.get(type(layer).__name__)
            if kind is None:
                return original(layer, *args, **kwargs)
            own = [variable.value for variable in layer.trainable_variables]
            return recorder.as_one(kind, own, (args, kwargs), lambda: original(layer, *args, **kwargs))

    keras.Layer.__call__ = call
    try:
        yield
    finally:
        keras.Layer.__call__ = original


def _layers_of(model: keras.Model) -> dict[str, keras.Layer]:
    """All layers, those in other layers too, by path."""
    layers = model._flatten_layers(include_self=False)
    return {(layer.path or layer.name).replace("/", "."): layer for layer in layers}


def default_loss(model: keras.Model) -> Loss:
    """The compiled loss, or the usual one for the targets and the last layer."""
    compiled = getattr(model, "loss", None)
    if compiled is not None:
        own = keras.losses.get(compiled)
        return lambda output, targets: keras.ops.mean(own(targets, output))
    last = getattr(model.layers[-1], "activation", None) if model.layers else None
    gives_probabilities = last is keras.activations.softmax

    def usual(output: Any, targets: Any) -> Any:
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(targets.dtype)):
            return keras.ops.mean(keras.ops.square(output - targets))
        return keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(targets, output, from_logits=not gives_probabilities)
        )

    return usual
