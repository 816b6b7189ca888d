"""Unsupervised greedy pretraining: layer by layer from the inputs up, each learns to describe what it is fed.

inputs -> layer 1 learns -> its activations -> layer 2 learns -> ... ; the last layer, which gives the logits,
is left as it was drawn. What follows is supervised training as from any other start. The number of batches
that all layers were shown is the cost.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from initlab.errors import UsageError
from initlab.nn.activations import Activation, sigmoid
from initlab.nn.adaptive import Samples, adaptive, require_whole
from initlab.nn.arrays import FloatArray

Next = Callable[[], FloatArray]
Learn = Callable[[Next, FloatArray, FloatArray], Iterator[float]]


def pretrain(
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    activation: Activation,
    samples: Samples,
    batch_size: int,
    learn: Callable[[int], Learn],
) -> int:
    """Let each hidden layer learn in turn; returns the number of batches that were shown.

    Args:
        weights, biases: of each layer of one network, changed in place.
        activation: of the hidden layers.
        samples: gives a batch of inputs, (batch_size, n_0).
        batch_size: of all batches.
        learn: `learn(layer)(next_batch, W, b)` trains one layer, step by step, giving the error of each; it
            looks at one batch before.

    Raises:
        UsageError: when the first batch, which is looked at for that, is not within 0 to 1.
    """
    if not _within_unit(samples(batch_size)):
        raise UsageError("pretraining describes inputs from 0 to 1; these are not, take data.inputs: unit")
    seen = 0
    for layer in range(len(weights) - 1):

        def next_batch(below: int = layer) -> FloatArray:
            signal = samples(batch_size)
            for W, b in zip(weights[:below], biases[:below], strict=True):
                signal = activation.function(signal @ W + b, None)
            return signal

        seen += 1 + sum(1 for _ in learn(layer)(next_batch, weights[layer], biases[layer]))
    return seen


def _within_unit(inputs: FloatArray) -> bool:
    return bool(inputs.min() >= 0 and inputs.max() <= 1)


def contrastive_divergence(
    rng: np.random.Generator, steps: int, lr: float, k: int, momentum: float = 0.5
) -> Learn:
    """How a layer learns as a restricted Boltzmann machine, by CD-k.

    With visible units v and hidden ones h, `p(h = 1) = sigmoid(v W + b)` and `p(v = 1) = sigmoid(h W^T + c)`:
    k times back and forth from the data, then `dW = <v h>_data - <v h>_k`. States are drawn on the way; of
    hidden units the probabilities are counted (Hinton 2010, section 3). The error is the mean squared
    difference of a batch and the probabilities of its first reconstruction.
    """

    def learn(next_batch: Next, W: FloatArray, b: FloatArray) -> Iterator[float]:
        c = resting_bias(next_batch(), bounded=True)
        velocities = [np.zeros_like(W), np.zeros_like(b), np.zeros_like(c)]
        for _ in range(steps):
            data = next_batch()
            hidden = sigmoid(data @ W + b)
            again, errors = hidden, []
            for _turn in range(k):
                probable = sigmoid(_drawn(rng, again) @ W.T + c)
                errors.append(float(np.square(data - probable).mean()))
                rebuilt = _drawn(rng, probable)
                again = sigmoid(rebuilt @ W + b)
            gains = [data.T @ hidden - rebuilt.T @ again, (hidden - again).sum(0), (data - rebuilt).sum(0)]
            for parameter, velocity, gain in zip((W, b, c), velocities, gains, strict=True):
                velocity *= momentum
                velocity += gain.astype(W.dtype) * W.dtype.type(lr / len(data))
                parameter += velocity
            yield errors[0]

    return learn


def resting_bias(data: FloatArray, bounded: bool) -> FloatArray:
    """The bias with which the mean of a batch is rebuilt from silent hidden units.

    `log(p / (1 - p))` of each mean p, kept within 0.01 to 0.99, where inputs lie between 0 and 1, else the
    mean itself. Source: Hinton 2010, section 8.1.

    >>> resting_bias(np.array([[0.0, 1.0], [0.0, 0.0]]), bounded=True).round(2).tolist()
    [-4.6, 0.0]
    """
    mean = data.mean(axis=0)
    if not bounded:
        return np.asarray(mean)
    p = np.clip(mean, 0.01, 0.99)
    return np.asarray(np.log(p / (1 - p)))


def _drawn(rng: np.random.Generator, probabilities: FloatArray) -> FloatArray:
    """Units that are 1 with these probabilities, else 0."""
    return (rng.random(probabilities.shape, probabilities.dtype) < probabilities).astype(probabilities.dtype)


def denoising(
    rng: np.random.Generator, activation: Activation, steps: int, lr: float, noise: float, bounded: bool
) -> Learn:
    """How a layer learns as an autoencoder with tied weights: to rebuild its inputs from noisy ones.

    `h = phi(x~ W + b); r = sigmoid(h W^T + c)` with cross-entropy where inputs lie between 0 and 1
    (`bounded`), else `r = h W^T + c` with half the squared error, averaged over the inputs. x~ is x with the
    fraction `noise` of its entries set to 0. The error is the mean squared difference of x and r.
    """

    def learn(next_batch: Next, W: FloatArray, b: FloatArray) -> Iterator[float]:
        c = resting_bias(next_batch(), bounded)
        for _ in range(steps):
            x = next_batch()
            noisy = x * (rng.random(x.shape, x.dtype) >= noise)
            r, gradients = autoencoder_gradients(x, noisy, W, b, c, activation, bounded)
            for parameter, gradient in zip((W, b, c), gradients, strict=True):
                parameter -= W.dtype.type(lr) * gradient
            yield float(np.square(x - r).mean())

    return learn


def autoencoder_gradients(
    x: FloatArray,
    noisy: FloatArray,
    W: FloatArray,
    b: FloatArray,
    c: FloatArray,
    activation: Activation,
    bounded: bool,
) -> tuple[FloatArray, list[FloatArray]]:
    """The reconstruction (B, n_in), and the gradients of the mean loss of a sample for W, b and c."""
    z = noisy @ W + b
    h = activation.function(z, None)
    out = h @ W.T + c
    r = sigmoid(out) if bounded else out
    above = (r - x) / x.dtype.type(len(x) if bounded else x.size)
    delta = (above @ W) * activation.derivative(z, h)
    return r, [noisy.T @ delta + above.T @ h, delta.sum(axis=0), above.sum(axis=0)]


def _check_rbm(steps: float = 1, batch_size: float = 1, lr: float = 1, k: float = 1) -> None:
    require_whole(steps=(steps, 1), batch_size=(batch_size, 1), k=(k, 1))
    _check_rate(lr)


def _check_rate(lr: float) -> None:
    if not lr > 0:
        raise UsageError(f"lr must be above 0, not {lr:g}")


@adaptive(
    "pretrained_rbm",
    "W ~ N(0, 0.01^2), then each layer trained as a restricted Boltzmann machine",
    "Hinton, Osindero & Teh 2006, A fast learning algorithm for deep belief nets; Hinton 2010",
    base="rbm",
    check=_check_rbm,
)
def pretrained_rbm(
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    activation: Activation,
    samples: Samples,
    rng: np.random.Generator,
    *,
    steps: float = 600.0,
    batch_size: float = 100.0,
    lr: float = 0.1,
    k: float = 1.0,
) -> int:
    """Stacked restricted Boltzmann machines, each trained by CD-k on the probabilities of the one below.

    For sigmoid networks, with inputs from 0 to 1; see `contrastive_divergence`.

    Args:
        weights, biases: of each layer, (n_in, n_out) and (n_out,); changed in place.
        activation: of the hidden layers; sigmoid.
        samples: gives a batch of inputs, (batch_size, n_0).
        rng: of the hidden states.
        steps: for each layer.
        batch_size: of each step.
        lr: learning rate; the momentum is 0.5.
        k: turns of Gibbs sampling in a step.

    Raises:
        UsageError: for another activation; for arguments out of range, as soon as the scheme is read.

    >>> from initlab.nn.network import Ensemble
    >>> inputs = np.random.default_rng(0).random((200, 20)) < np.linspace(0, 1, 20)
    >>> draw = lambda seed: lambda n: inputs[:n].astype(np.float32)
    >>> text = "pretrained_rbm(steps=50, lr=2)"
    >>> network = Ensemble.from_schemes([20, 8, 8, 3], [text], 0, "sigmoid", samples=draw)
    >>> network.batches_before.tolist(), bool(network.weights[0].std() > 0.02)
    ([102], True)
    """
    if activation.name != "sigmoid":
        raise UsageError(f"restricted Boltzmann machines have sigmoid units, not {activation.name}")
    learn = contrastive_divergence(rng, int(steps), lr, int(k))
    return pretrain(weights, biases, activation, samples, int(batch_size), lambda _layer: learn)


def _check_autoencoder(steps: float = 1, batch_size: float = 1, lr: float = 1, noise: float = 0) -> None:
    require_whole(steps=(steps, 1), batch_size=(batch_size, 1))
    _check_rate(lr)
    if not 0 <= noise < 1:
        raise UsageError(f"noise must be from 0 to below 1, not {noise:g}")


@adaptive(
    "pretrained_autoencoder",
    "W as xavier, then each layer trained as a denoising autoencoder",
    "Bengio et al. 2007, Greedy layer-wise training of deep networks; Vincent et al. 2008",
    base="xavier",
    check=_check_autoencoder,
)
def pretrained_autoencoder(
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    activation: Activation,
    samples: Samples,
    rng: np.random.Generator,
    *,
    steps: float = 600.0,
    batch_size: float = 100.0,
    lr: float = 0.1,
    noise: float = 0.25,
) -> int:
    """Stacked denoising autoencoders with tied weights, each fed the activations of the one below.

    Inputs lie between 0 and 1; see `denoising`.

    Args:
        weights, biases: of each layer, (n_in, n_out) and (n_out,); changed in place.
        activation: of the hidden layers.
        samples: gives a batch of inputs, (batch_size, n_0).
        rng: of the noise.
        steps: for each layer.
        batch_size: of each step.
        lr: learning rate.
        noise: the fraction of a layer's inputs that are set to 0; 0 for a plain autoencoder.

    Raises:
        UsageError: for arguments out of range, as soon as the scheme is read.

    >>> from initlab.nn.network import Ensemble
    >>> draw = lambda seed: np.random.default_rng(seed).random((500, 20), np.float32).__getitem__
    >>> samples = lambda seed: lambda n: draw(seed)(slice(n))
    >>> text = "pretrained_autoencoder(steps=50)"
    >>> Ensemble.from_schemes([20, 8, 8, 3], [text], 0, "tanh", samples=samples).batches_before.tolist()
    [102]
    """

    def learn(layer: int) -> Learn:
        bounded = layer == 0 or activation.bounds == (0.0, 1.0)
        return denoising(rng, activation, int(steps), lr, noise, bounded)

    return pretrain(weights, biases, activation, samples, int(batch_size), learn)
