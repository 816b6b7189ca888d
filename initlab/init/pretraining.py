"""Unsupervised greedy pretraining: layer by layer from the inputs up, each layer learns to model its inputs.

    inputs -> layer 1 learns -> its activations -> layer 2 learns -> ... -> the last hidden layer learns

The last layer, which gives the logits, keeps the weights that it drew. Supervised training follows as after
any other scheme. The cost is the number of batches shown to all layers together.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from initlab.errors import require
from initlab.init.data_dependent import Samples, data_dependent
from initlab.nn.activations import Activation, sigmoid
from initlab.nn.arrays import FloatArray
from initlab.nn.network import Ensemble

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
    """Let each hidden layer learn in turn.

    Args:
        weights: of each layer of one network, (n_in, n_out); changed in place.
        biases: of each layer, (n_out,); changed in place.
        activation: the activation function of the hidden layers.
        samples: `samples(batch_size)` gives a batch of inputs, (batch_size, n_0).
        batch_size: the number of inputs in every batch.
        learn: `learn(layer)(next_batch, W, b)` trains one layer and yields the error of every step; before
            its first step it looks at one batch.

    Returns:
        The number of batches shown to all layers. The check of the inputs looks at one more, which is no part
        of the learning and is not counted.

    Raises:
        UsageError: when the first batch has inputs outside 0 to 1.

    Source: Bengio, Lamblin, Popovici & Larochelle 2007, Greedy layer-wise training of deep networks.
    """
    within_unit = _within_unit(samples(batch_size))
    require(within_unit, "pretraining describes inputs from 0 to 1; these are not, take data.inputs: unit")
    batches = 0
    for layer in range(len(weights) - 1):

        def next_batch(below: int = layer) -> FloatArray:
            signal = samples(batch_size)
            for W, b in zip(weights[:below], biases[:below], strict=True):
                signal = activation.function(signal @ W + b, None)
            return signal

        batches += 1 + sum(1 for _ in learn(layer)(next_batch, weights[layer], biases[layer]))
    return batches


def _within_unit(inputs: FloatArray) -> bool:
    return bool(inputs.min() >= 0 and inputs.max() <= 1)


def _perceptron(network: Ensemble) -> tuple[list[FloatArray], list[FloatArray], Activation]:
    """The weights, the biases and the activation function of a network whose layers are all dense."""
    return [W[0] for W in network.weights], [b[0] for b in network.biases], network.activation


def contrastive_divergence(
    rng: np.random.Generator, steps: int, lr: float, k: int, momentum: float = 0.5
) -> Learn:
    """A function that trains a layer as a restricted Boltzmann machine, by contrastive divergence (CD-k).

    For visible units v and hidden units h, `p(h = 1) = sigmoid(v W + b)` and `p(v = 1) = sigmoid(h W^T + c)`.
    From the data we sample h and v in turn, k times, and then update with `dW = <v h>_data - <v h>_k`. We
    sample the states on the way, but average over the probabilities of the hidden units, which has less
    noise. The error is the mean squared difference of a batch and the probabilities of its first
    reconstruction.

    Args:
        rng: the generator that samples the states.
        steps: the number of updates.
        lr: learning rate.
        k: the number of turns of Gibbs sampling in each step.
        momentum: mu of the momentum method.

    Source: Hinton 2002, Training products of experts by minimizing contrastive divergence; Hinton 2010, A
    practical guide to training restricted Boltzmann machines, section 3, on states and probabilities.
    """

    def _learn(next_batch: Next, W: FloatArray, b: FloatArray) -> Iterator[float]:
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

    return _learn


def resting_bias(data: FloatArray, bounded: bool) -> FloatArray:
    """The bias c with which a layer reconstructs the mean of a batch while all hidden units are 0.

    For inputs from 0 to 1 it is `log(p / (1 - p))` of each input's mean p, and otherwise the mean itself. We
    keep p within 0.01 to 0.99: 67 of MNIST's pixels are always 0, and would have a bias of minus infinity.

    Args:
        data: a batch of inputs of the layer, (B, n_in).
        bounded: whether these lie between 0 and 1.

    Source: Hinton 2010, A practical guide to training restricted Boltzmann machines, section 8.

    >>> resting_bias(np.array([[0.0, 1.0], [0.0, 0.0]]), bounded=True).round(2).tolist()
    [-4.6, 0.0]
    """
    mean = data.mean(axis=0)
    if not bounded:
        return np.asarray(mean)
    p = np.clip(mean, 0.01, 0.99)
    return np.asarray(np.log(p / (1 - p)))


def _drawn(rng: np.random.Generator, probabilities: FloatArray) -> FloatArray:
    """States that are 1 with these probabilities and 0 otherwise."""
    return (rng.random(probabilities.shape, probabilities.dtype) < probabilities).astype(probabilities.dtype)


def denoising(
    rng: np.random.Generator, activation: Activation, steps: int, lr: float, noise: float, bounded: bool
) -> Learn:
    """A function that trains a layer as a denoising autoencoder: to reconstruct its inputs from noisy ones.

    With tied weights, `h = phi(x~ W + b); r = sigmoid(h W^T + c)` and the cross-entropy of r and x if the
    inputs lie between 0 and 1; otherwise `r = h W^T + c` and half the squared error, averaged over the
    inputs. Here x~ is x with a fraction of its entries set to 0. The error is the mean squared difference of
    x and r.

    Args:
        rng: the generator of the noise.
        activation: phi.
        steps: the number of updates.
        lr: learning rate.
        noise: the fraction of the inputs that are set to 0.
        bounded: whether the inputs lie between 0 and 1.

    Source: Vincent, Larochelle, Bengio & Manzagol 2008, Extracting and composing robust features with
    denoising autoencoders.
    """

    def _learn(next_batch: Next, W: FloatArray, b: FloatArray) -> Iterator[float]:
        c = resting_bias(next_batch(), bounded)
        for _ in range(steps):
            x = next_batch()
            noisy = x * (rng.random(x.shape, x.dtype) >= noise)
            r, gradients = autoencoder_gradients(x, noisy, W, b, c, activation, bounded)
            for parameter, gradient in zip((W, b, c), gradients, strict=True):
                parameter -= W.dtype.type(lr) * gradient
            yield float(np.square(x - r).mean())

    return _learn


def autoencoder_gradients(
    x: FloatArray,
    noisy: FloatArray,
    W: FloatArray,
    b: FloatArray,
    c: FloatArray,
    activation: Activation,
    bounded: bool,
) -> tuple[FloatArray, list[FloatArray]]:
    """The reconstruction r, (B, n_in), and the gradients of the mean loss of a sample for W, b and c.

    With d the gradient at the pre-activation of r, `d = (r - x) / B` for both losses (cross-entropy cancels
    the slope of the sigmoid; half the squared error also divides by n_in), and tied weights give
    `dW = x~^T d_h + d^T h` with `d_h = (d W) phi'(z)`.

    Args:
        x: the inputs, (B, n_in).
        noisy: x~, the inputs with noise, (B, n_in).
        W: weights, (n_in, n_out).
        b: biases of the hidden units, (n_out,).
        c: biases of the reconstruction, (n_in,).
        activation: phi.
        bounded: whether the inputs lie between 0 and 1.
    """
    z = noisy @ W + b
    h = activation.function(z, None)
    out = h @ W.T + c
    r = sigmoid(out) if bounded else out
    above = (r - x) / x.dtype.type(len(x) if bounded else x.size)
    delta = (above @ W) * activation.derivative(z, h)
    return r, [noisy.T @ delta + above.T @ h, delta.sum(axis=0), above.sum(axis=0)]


def _check_training(steps: int, batch_size: int, lr: float) -> None:
    require(steps >= 1, f"steps must be 1 or more, not {steps}")
    require(batch_size >= 1, f"batch_size must be 1 or more, not {batch_size}")
    require(lr > 0, f"lr must be above 0, not {lr:g}")


def _check_rbm(steps: int = 600, batch_size: int = 100, lr: float = 0.1, k: int = 1) -> None:
    _check_training(steps, batch_size, lr)
    require(k >= 1, f"k must be 1 or more, not {k}")


@data_dependent(
    "pretrained_rbm",
    formula="W ~ N(0, 0.01^2), then each layer trained as a restricted Boltzmann machine",
    source="Hinton, Osindero & Teh 2006, A fast learning algorithm for deep belief nets; Hinton 2010",
    base="rbm",
    check=_check_rbm,
    is_for_perceptrons=True,
    only_activation="sigmoid",
)
def pretrained_rbm(
    network: Ensemble,
    samples: Samples,
    rng: np.random.Generator,
    *,
    steps: int = 600,
    batch_size: int = 100,
    lr: float = 0.1,
    k: int = 1,
) -> int:
    """Stacked restricted Boltzmann machines, each trained by CD-k on the probabilities of the one below.

    This is for sigmoid networks with inputs from 0 to 1. In each layer `dW = <v h>_data - <v h>_k`; see
    `contrastive_divergence`.

    Args:
        network: a single perceptron of sigmoid units, whose weights and biases change in place.
        samples: `samples(batch_size)` gives a batch of inputs, (batch_size, n_0).
        rng: the generator that samples the states.
        steps: the number of updates of each layer.
        batch_size: the number of inputs in a batch.
        lr: learning rate; the momentum is 0.5.
        k: the number of turns of Gibbs sampling in each step.

    Returns:
        The number of batches that the layers were shown.

    Raises:
        UsageError: for inputs outside 0 to 1.

    Source: Hinton, Osindero & Teh 2006, A fast learning algorithm for deep belief nets.

    >>> from initlab.init.networks import initialize
    >>> inputs = np.random.default_rng(0).random((200, 20)) < np.linspace(0, 1, 20)
    >>> text = "pretrained_rbm(steps=50, lr=2)"
    >>> network = initialize([20, 8, 8, 3], [text], 0, "sigmoid", data=inputs)
    >>> network.batches_before.tolist(), bool(network.weights[0].std() > 0.02)
    ([102], True)
    """
    weights, biases, activation = _perceptron(network)
    learn = contrastive_divergence(rng, steps, lr, k)
    return pretrain(weights, biases, activation, samples, batch_size, lambda _layer: learn)


def _check_autoencoder(steps: int = 600, batch_size: int = 100, lr: float = 0.1, noise: float = 0.25) -> None:
    _check_training(steps, batch_size, lr)
    require(0 <= noise < 1, f"noise must be from 0 to below 1, not {noise:g}")


@data_dependent(
    "pretrained_autoencoder",
    formula="W as xavier, then each layer trained as a denoising autoencoder",
    source="Bengio et al. 2007, Greedy layer-wise training of deep networks; Vincent et al. 2008",
    base="xavier",
    check=_check_autoencoder,
    is_for_perceptrons=True,
)
def pretrained_autoencoder(
    network: Ensemble,
    samples: Samples,
    rng: np.random.Generator,
    *,
    steps: int = 600,
    batch_size: int = 100,
    lr: float = 0.1,
    noise: float = 0.25,
) -> int:
    """Stacked denoising autoencoders with tied weights, each trained on the activations of the one below.

    The inputs of the network lie between 0 and 1. A layer learns to reconstruct its inputs x from noisy ones
    x~, as `sigmoid(phi(x~ W + b) W^T + c)`; see `denoising`.

    Args:
        network: a single perceptron, whose weights and biases change in place.
        samples: `samples(batch_size)` gives a batch of inputs, (batch_size, n_0).
        rng: the generator of the noise.
        steps: the number of updates of each layer.
        batch_size: the number of inputs in a batch.
        lr: learning rate.
        noise: the fraction of a layer's inputs that are set to 0; with 0, a plain autoencoder.

    Returns:
        The number of batches that the layers were shown.

    Raises:
        UsageError: for inputs outside 0 to 1.

    Source: Bengio et al. 2007, Greedy layer-wise training of deep networks; Vincent et al. 2008, Extracting
    and composing robust features with denoising autoencoders.

    >>> from initlab.init.networks import initialize
    >>> inputs = np.random.default_rng(0).random((500, 20), np.float32)
    >>> text = "pretrained_autoencoder(steps=50)"
    >>> initialize([20, 8, 8, 3], [text], 0, "tanh", data=inputs).batches_before.tolist()
    [102]
    """
    weights, biases, activation = _perceptron(network)

    def _learn(layer: int) -> Learn:
        bounded = layer == 0 or activation.bounds == (0.0, 1.0)
        return denoising(rng, activation, steps, lr, noise, bounded)

    return pretrain(weights, biases, activation, samples, batch_size, _learn)
