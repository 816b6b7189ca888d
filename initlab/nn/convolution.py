"""Convolution and pooling: images -> patches -> one matrix product for each network -> images.

    y[o, r, c] = sum over i, u, v of W[o, i, u, v] x[i, r + u, c + v] + b[o]

for each output channel o, row r and column c: a dense layer that sees a patch of k x k pixels of all input
channels, with the same weights at each place. We write each patch as a column of a matrix of
C k k rows (im2col), and the convolution becomes a product of matrices; that is where its time goes.

Images are (M, C, H, W, B): the batch is the last axis, so one pixel of all samples is a row of memory.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided

from initlab.errors import UsageError, is_whole, require
from initlab.nn.arrays import FloatArray
from initlab.nn.layers import AFFINE, EMPTY, Layer, Shape, ones, room

Border = Literal["zeros", "circular"]

# Measured: the patches of a part of the rows stay in the cache between being written and being multiplied.
PATCH_BYTES = 1 << 20


class Conv2d(Layer):
    """A convolution with W of shape (M, channels, C, k, k) and b of shape (M, channels).

    Args:
        channels: of the output.
        kernel: k, the rows and columns of a kernel.
        stride: between two places where a kernel is applied.
        padding: pixels put around an image; "same" for (k - 1) / 2, which keeps its size at stride 1.
        border: what is put there: "zeros", or the image continued from its opposite side ("circular").

    Raises:
        UsageError: for a number below its least value, or an even kernel with padding "same".

    Source: LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition,
    section II. Patches as columns: Chellapilla, Puri & Simard 2006, High performance convolutional neural
    networks for document processing.

    >>> Conv2d(16, kernel=5).output_shape((1, 28, 28)), Conv2d(8, 3, padding="same").output_shape((4, 7, 7))
    ((16, 24, 24), (8, 7, 7))
    """

    parameter_names = AFFINE
    is_affine = True

    def __init__(
        self,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        border: Border = "zeros",
    ) -> None:
        for name, number in (("channels", channels), ("kernel", kernel), ("stride", stride)):
            require(is_whole(number) and number >= 1, f"{name} of conv must be 1 or more, not {number!r}")
        require(padding != "same" or kernel % 2 == 1, f"padding=same needs an odd kernel, not {kernel}")
        require(padding == "same" or (is_whole(padding) and padding >= 0),
                f"padding of conv must be same, or 0 or more, not {padding!r}")  # fmt: skip
        require(border in ("zeros", "circular"), f"border of conv must be zeros or circular, not {border!r}")
        self.channels, self.kernel, self.stride, self.border = channels, kernel, stride, border
        self.padding = (kernel - 1) // 2 if padding == "same" else padding
        self._y: FloatArray = EMPTY
        self._dx: FloatArray = EMPTY
        self._padded: FloatArray = EMPTY
        self._patches: FloatArray = EMPTY

    def __repr__(self) -> str:
        border = "" if self.border == "zeros" else f", border={self.border!r}"
        shape = f"kernel={self.kernel}, stride={self.stride}, padding={self.padding}"
        return f"Conv2d({self.channels}, {shape}{border})"

    def output_shape(self, shape: Shape) -> Shape:
        """(channels, rows, columns)."""
        if len(shape) != 3:
            raise UsageError(f"a convolution takes images (C, H, W), not vectors of {shape[0]}")
        rows, columns = ((n + 2 * self.padding - self.kernel) // self.stride + 1 for n in shape[1:])
        require(min(rows, columns) >= 1, f"a kernel of {self.kernel} does not fit into images of {shape[1:]}")
        fits = self.border == "zeros" or self.padding <= min(shape[1:])
        require(fits, f"a circular border of {self.padding} is wider than images of {shape[1:]}")
        return (self.channels, rows, columns)

    def parameter_shapes(self, shape: Shape) -> list[Shape]:
        """W and b."""
        return [(self.channels, shape[0], self.kernel, self.kernel), (self.channels,)]

    def forward(self, x: FloatArray) -> FloatArray:
        """`y = W patches + b`, network by network, a few rows of the output at a time.

        Args:
            x: (1, C, H, W, B) for all networks alike, or (M, C, H, W, B).
        """
        W, b = self.parameters
        self._images = images = self._with_border(x)
        shape = self.output_shape(x.shape[1:4])
        self._y = y = room(self._y, (len(W), *shape, x.shape[-1]), W.dtype)
        for m, kernels in enumerate(W.reshape(len(W), self.channels, -1)):
            windows = self._windows(images[m % len(images)], shape)
            products = y[m].reshape(self.channels, -1)
            for rows, columns in self._parts(windows):
                np.matmul(kernels, self._as_columns(windows[:, :, :, rows]), out=products[:, columns])
        y += b[:, :, None, None, None]
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dW = dy patches^T`, `db = sum of dy over places and samples`, and dx from `dpatches = W^T dy`.

        As in a dense layer, because y = W patches + b is one. A pixel of x stands in up to k x k patches,
        at another place in each; so its gradient is the sum of what `dpatches` holds at these places. This
        sum is the copying of pixels into patches, read backward.
        """
        (W, _), (dW, db) = self.parameters, self.gradients
        images, count = self._images, len(W)
        np.matmul(dy.reshape(count, self.channels, -1), ones((dy[0, 0].size, 1), W.dtype), out=db[:, :, None])
        dx = self._dx = room(self._dx, (count, *images.shape[1:]), W.dtype) if self.passes_back else dy
        if self.passes_back:
            dx[...] = 0
        for m, kernels in enumerate(W.reshape(count, self.channels, -1)):
            windows = self._windows(images[m % len(images)], dy.shape[1:4])
            products, dkernels = dy[m].reshape(self.channels, -1), dW[m].reshape(self.channels, -1)
            dkernels[...] = 0
            for rows, columns in self._parts(windows):
                patches = self._as_columns(windows[:, :, :, rows])
                dkernels += products[:, columns] @ patches.T
                if self.passes_back:
                    # The patches were needed for the last time: their array receives dpatches.
                    np.matmul(kernels.T, products[:, columns], out=patches)
                    self._add_patches(dx[m], patches, rows)
        return self._without_border(dx) if self.passes_back else dy

    def _windows(self, image: FloatArray, shape: Shape) -> FloatArray:
        """All patches of an image (C, H, W, B) as a view (C, k, k, rows, columns, B), without a copy."""
        channels, rows, columns, batch = image.strides
        k, step = self.kernel, self.stride
        sizes = (len(image), k, k, shape[1], shape[2], image.shape[-1])
        strides = (channels, rows, columns, step * rows, step * columns, batch)
        return as_strided(image, sizes, strides, writeable=False)

    def _parts(self, windows: FloatArray) -> Iterator[tuple[slice, slice]]:
        """Rows of the output whose patches fit into the cache, and the columns that their products fill."""
        height, length = windows.shape[3], windows.shape[4] * windows.shape[5]
        row_bytes = windows[:, :, :, 0].size * windows.itemsize
        step = max(1, PATCH_BYTES // row_bytes)
        for start in range(0, height, step):
            stop = min(start + step, height)
            yield slice(start, stop), slice(start * length, stop * length)

    def _as_columns(self, windows: FloatArray) -> FloatArray:
        """Patches (C, k, k, rows, columns, B) as the columns of a matrix (C k k, rows columns B)."""
        self._patches = room(self._patches, windows.shape, windows.dtype)
        np.copyto(self._patches, windows)
        return self._patches.reshape(windows[..., 0, 0, 0].size, -1)

    def _add_patches(self, dimage: FloatArray, dpatches: FloatArray, rows: slice) -> None:
        """Add the gradient of each patch to that of the pixels (C, H, W, B) that it was copied from."""
        k, step, batch_size = self.kernel, self.stride, dimage.shape[-1]
        count = rows.stop - rows.start
        shaped = dpatches.reshape(len(dimage), k, k, count, -1, batch_size)
        for u in range(k):
            first = u + step * rows.start
            for v in range(k):
                pixels = dimage[:, first : first + step * count : step, v : v + step * shaped.shape[4] : step]
                pixels += shaped[:, u, v]

    def _with_border(self, x: FloatArray) -> FloatArray:
        """The images with `padding` pixels around each."""
        p = self.padding
        if not p:
            return x
        height, width = x.shape[2:4]
        shape = (*x.shape[:2], height + 2 * p, width + 2 * p, x.shape[-1])
        if self._padded.shape != shape:
            self._padded = np.zeros(shape, x.dtype)
        padded = self._padded
        padded[:, :, p : p + height, p : p + width] = x
        if self.border == "circular":
            padded[:, :, :p] = padded[:, :, height : height + p]
            padded[:, :, p + height :] = padded[:, :, p : 2 * p]
            padded[:, :, :, :p] = padded[:, :, :, width : width + p]
            padded[:, :, :, p + width :] = padded[:, :, :, p : 2 * p]
        return padded

    def _without_border(self, dx: FloatArray) -> FloatArray:
        """The gradient of the images alone; a pixel that continued another one adds its gradient to it."""
        p = self.padding
        if not p:
            return dx
        height, width = dx.shape[2] - 2 * p, dx.shape[3] - 2 * p
        if self.border == "circular":
            dx[:, :, :, width : width + p] += dx[:, :, :, :p]
            dx[:, :, :, p : 2 * p] += dx[:, :, :, p + width :]
            dx[:, :, height : height + p] += dx[:, :, :p]
            dx[:, :, p : 2 * p] += dx[:, :, p + height :]
        return dx[:, :, p : p + height, p : p + width]


class MaxPool(Layer):
    """The largest pixel of each square of size x size pixels; incomplete squares at the edge are left out.

    Args:
        size: of a square, and the distance to the next one.

    Source: Ranzato, Huang, Boureau & LeCun 2007, Unsupervised learning of invariant feature hierarchies.

    >>> MaxPool(2).output_shape((16, 24, 25))
    (16, 12, 12)
    """

    def __init__(self, size: int) -> None:
        require(is_whole(size) and size >= 1, f"size of pool must be 1 or more, not {size!r}")
        self.size = size
        self._y: FloatArray = EMPTY
        self._dx: FloatArray = EMPTY

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size})"

    def output_shape(self, shape: Shape) -> Shape:
        """(C, H / size, W / size), rounded down."""
        return pooled_shape(shape, self.size)

    def forward(self, x: FloatArray) -> FloatArray:
        """The largest pixels.

        Args:
            x: (M, C, H, W, B).
        """
        self._x = x
        first, *others = _places(x, self.size)
        self._y = y = room(self._y, first.shape, x.dtype)
        np.copyto(y, first)
        for place in others:
            np.maximum(y, place, out=y)
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """The gradient goes to the largest pixel of a square, the first one of equals, as in PyTorch."""
        self._dx = dx = room(self._dx, self._x.shape, dy.dtype)
        dx[...] = 0
        left = np.ones(dy.shape, bool)
        for place, target in zip(_places(self._x, self.size), _places(dx, self.size), strict=True):
            chosen = (place == self._y) & left
            np.multiply(dy, chosen, out=target)
            left &= ~chosen
        return dx


class AveragePool(Layer):
    """The mean of each square of size x size pixels; incomplete squares at the edge are left out.

    Args:
        size: of a square, and the distance to the next one.

    Source: LeCun et al. 1998, section II, its subsampling layers, without their weights.
    """

    def __init__(self, size: int) -> None:
        require(is_whole(size) and size >= 1, f"size of average must be 1 or more, not {size!r}")
        self.size = size
        self._y: FloatArray = EMPTY
        self._dx: FloatArray = EMPTY

    def __repr__(self) -> str:
        return f"AveragePool({self.size})"

    def output_shape(self, shape: Shape) -> Shape:
        """(C, H / size, W / size), rounded down."""
        return pooled_shape(shape, self.size)

    def forward(self, x: FloatArray) -> FloatArray:
        """The means.

        Args:
            x: (M, C, H, W, B).
        """
        self._shape = x.shape
        first, *others = _places(x, self.size)
        self._y = y = room(self._y, first.shape, x.dtype)
        np.copyto(y, first)
        for place in others:
            y += place
        y *= x.dtype.type(1 / self.size**2)
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """Every pixel of a square gets `dy / size^2`."""
        self._dx = dx = room(self._dx, self._shape, dy.dtype)
        dx[...] = 0
        dy *= dy.dtype.type(1 / self.size**2)
        for target in _places(dx, self.size):
            target[...] = dy
        return dx


def pooled_shape(shape: Shape, size: int) -> Shape:
    """The shape (C, H, W) of a sample after pooling.

    Args:
        shape: before.
        size: of the squares.

    Raises:
        UsageError: for vectors, or images smaller than a square.
    """
    if len(shape) != 3:
        raise UsageError(f"pooling takes images (C, H, W), not vectors of {shape[0]}")
    require(min(shape[1:]) >= size, f"squares of {size} pixels do not fit into images of {shape[1:]}")
    return (shape[0], shape[1] // size, shape[2] // size)


def _places(x: FloatArray, size: int) -> list[FloatArray]:
    """For each place in a square the pixels that stand there: size^2 views (M, C, rows, columns, B)."""
    rows, columns = x.shape[2] // size * size, x.shape[3] // size * size
    return [x[:, :, u:rows:size, v:columns:size] for u in range(size) for v in range(size)]
