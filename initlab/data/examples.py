"""A dataset and an input preparation, or plain arrays -> examples for training and testing.

Images stay bytes, mapped from the disk, until a batch of them is read as floats, by
`examples.train_inputs[chosen]`. So a training needs no more memory than its batch.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from initlab.data.folders import Dataset
from initlab.data.inputs import Prepare, prepare_inputs
from initlab.errors import UsageError, is_whole, shortened
from initlab.nn.arrays import FloatArray, IntArray, as_floats

# Of the root mean square of inputs: pixels from 0 to 255 have about 80, standardized features 1.
_LARGE = 10.0


class PreparedImages:
    """Images that become floats when they are read: `images[chosen]` is (len(chosen), n_0).

    Args:
        images: bytes, (N, pixels).
        prepare: turns some of them into floats.
        dtype: of the floats.
    """

    def __init__(self, images: npt.NDArray[np.uint8], prepare: Prepare, dtype: str) -> None:
        # As a plain array: the class for mapped files spends 60 microseconds of Python on every batch.
        self._images, self._prepare, self._dtype = images.view(np.ndarray), prepare, dtype
        self.shape = (len(images), self[:1].shape[1])

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, chosen: Any) -> FloatArray:
        return self._prepare(self._images[chosen], self._dtype)


Inputs = FloatArray | PreparedImages


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Inputs and labels for training and testing.

    Attributes:
        train_inputs, test_inputs: (N, n_0), floats, or images that become floats when they are read.
        train_labels, test_labels: (N,), from 0 to classes - 1.
        validation_inputs, validation_labels: training examples that are held out to choose a learning rate;
            none unless `hold_out` is called.
        classes: the number of classes.
    """

    train_inputs: Inputs
    train_labels: IntArray
    test_inputs: Inputs
    test_labels: IntArray
    validation_inputs: Inputs
    validation_labels: IntArray
    classes: int

    @property
    def features(self) -> int:
        """n_0, the length of an input."""
        return int(self.train_inputs.shape[1])

    def hold_out(self, count: int) -> "Examples":
        """The same examples, with the last training examples held out for validation.

        Args:
            count: how many, from 0 on and fewer than there are.

        Raises:
            UsageError: for a count out of range.
        """
        if not is_whole(count) or not 0 <= count < len(self.train_inputs):
            raise UsageError(
                f"cannot hold out {count} of {len(self.train_inputs):,} training examples for validation"
            )
        rest = len(self.train_inputs) - count
        return replace(
            self,
            train_inputs=_part(self.train_inputs, slice(rest)),
            train_labels=self.train_labels[:rest],
            validation_inputs=_part(self.train_inputs, slice(rest, None)),
            validation_labels=self.train_labels[rest:],
        )


def _part(inputs: Inputs, rows: slice) -> Inputs:
    if isinstance(inputs, PreparedImages):
        return PreparedImages(inputs._images[rows], inputs._prepare, inputs._dtype)
    return inputs[rows]


def prepared_examples(dataset: Dataset, inputs: str = "unit", dtype: str = "float32") -> Examples:
    """The examples of a dataset.

    Args:
        dataset: from `open_dataset`.
        inputs: the preparation that turns images into floats, as "unit" or "standardized"; see `data.inputs`.
        dtype: "float32" or "float64".

    Raises:
        UsageError: for an unknown preparation.

    >>> from initlab.data.datasets import open_dataset
    >>> examples = prepared_examples(open_dataset("mnist"))
    >>> examples.features, examples.classes, examples.train_inputs[:2].max().item()
    (784, 10, 1.0)
    """
    prepare = prepare_inputs(inputs, dataset)
    return Examples(
        train_inputs=PreparedImages(dataset.train_images, prepare, dtype),
        train_labels=dataset.train_labels,
        test_inputs=PreparedImages(dataset.test_images, prepare, dtype),
        test_labels=dataset.test_labels,
        validation_inputs=np.empty((0, 0), dtype),
        validation_labels=np.empty(0, np.int64),
        classes=dataset.classes,
    )


def array_examples(arrays: Sequence[npt.ArrayLike], dtype: str = "float32") -> Examples:
    """Examples of plain arrays.

    Args:
        arrays: training inputs (N, n_0) and labels (N,), perhaps followed by test inputs and labels.
        dtype: of the inputs.

    Raises:
        UsageError: for arrays that do not fit each other.

    >>> array_examples([[[0.0, 1.0], [1.0, 0.0]], [0, 1]]).features
    2
    """
    if not isinstance(arrays, list | tuple) or len(arrays) not in (2, 4):
        given = f"{len(arrays)} arrays" if isinstance(arrays, list | tuple) else shortened(type(arrays))
        raise UsageError(f"data is (inputs, labels), perhaps with test inputs and labels, not {given}")
    x, y = as_floats("training inputs", arrays[0], dtype), np.asarray(arrays[1])
    _check_arrays("training", x, y)
    if not len(y):
        raise UsageError("there are no training examples")
    test_x, test_y = x[:0], y[:0]
    if len(arrays) == 4:
        test_x, test_y = as_floats("test inputs", arrays[2], dtype), np.asarray(arrays[3])
        _check_arrays("test", test_x, test_y)
        if test_x.shape[1] != x.shape[1]:
            raise UsageError(f"test inputs have {test_x.shape[1]} numbers, training inputs {x.shape[1]}")
    _warn_of_scale(x)
    return Examples(
        train_inputs=x,
        train_labels=y,
        test_inputs=test_x,
        test_labels=test_y,
        validation_inputs=np.empty((0, 0), dtype),
        validation_labels=np.empty(0, np.int64),
        classes=int(max(y.max(), test_y.max(initial=0))) + 1,
    )


def _check_arrays(name: str, inputs: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    """Raise a UsageError unless inputs are (N, n_0), and labels (N,) whole numbers from 0 on."""
    if inputs.ndim != 2 or labels.shape != inputs.shape[:1]:
        raise UsageError(f"{name} inputs are (N, n_0) and labels (N,), not {inputs.shape} and {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise UsageError(f"{name} labels must be whole numbers from 0 on")


def _warn_of_scale(inputs: FloatArray) -> None:
    """Say where inputs are so large that they are probably pixels or measurements as they came."""
    # A product of vectors makes no copy, which for images would take half a gigabyte.
    with np.errstate(over="ignore"):
        size = float(np.sqrt(np.vdot(inputs, inputs) / max(inputs.size, 1)))
    if size <= _LARGE:
        return
    low, high = float(inputs.min()), float(inputs.max())
    largest = max(high, -low)
    are_pixels = low >= 0 and high <= 255
    cure = "x / 255" if are_pixels else "(x - x.mean(axis=0)) / x.std(axis=0)"
    warnings.warn(
        f"training inputs go up to {largest:.4g}, with a root mean square of {size:.3g}; initial weights are "
        f"meant for about 1: scale them, as by {cure}",
        stacklevel=4,  # the caller of `train`
    )


def examples_of(data: Any, inputs: str = "unit", dtype: str = "float32") -> Examples:
    """Examples of any kind of data.

    Args:
        data: the name of a dataset, a `Dataset`, `Examples`, or a sequence of arrays; see `array_examples`.
        inputs: the preparation that turns images into floats; arrays are used as they are.
        dtype: of the floats.

    Raises:
        UsageError: for an unknown name, or arrays that do not fit each other.
        DataError: for a dataset that cannot be opened.
    """
    from initlab.data.datasets import open_dataset

    if isinstance(data, Examples):
        return data
    if isinstance(data, str):
        data = open_dataset(data)
    if isinstance(data, Dataset):
        return prepared_examples(data, inputs, dtype)
    return array_examples(cast(Sequence[npt.ArrayLike], data), dtype)
