"""Convolution and pooling: images -> patches -> one matrix product for each network -> images.

    y[o, r, c] = sum over i, u, v of W[o, i, u, v] x[i, s r + u, s c + v] + b[o]

for each output channel o, row r and column c, with the stride s, and x with its border: a dense layer that
sees a patch of k x k pixels of all input channels, with the same weights at each place. We write each patch
as a column of a matrix (im2col), and the convolution becomes a product of matrices, which takes most of its
time:

    y          =  W                patches                            + b
    (channels, rows columns B) = (channels, C k k) (C k k, rows columns B)

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
            windows = self._windows(images[m % len(images)], shape)  # images[0] where all networks share them
            products = y[m].reshape(self.channels, -1)
            for rows, columns in self._parts(windows):
                patches = self._as_columns(windows[:, :, :, rows])
                np.matmul(kernels, patches, out=products[:, columns])
        y += b[:, :, None, None, None]
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dW = dy patches^T`, `db = sum of dy over places and samples`, and dx from `dpatches = W^T dy`.

        As in a dense layer, because y = W patches + b is one; dy has the shape (channels, rows columns B)
        here. A pixel of x stands in up to k x k patches, at another place in each; so its gradient is the sum
        of what `dpatches` holds at these places. This sum is the copying of pixels into patches, read
        backward. A pixel of the border that was copied from another pixel adds its gradient to that one's.
        """
        (W, _), (dW, db) = self.parameters, self.gradients
        images, networks = self._images, len(W)
        dproducts = dy.reshape(networks, self.channels, -1)
        np.matmul(dproducts, ones((dproducts.shape[-1], 1), W.dtype), out=db[:, :, None])
        if self.passes_back:
            self._dx = room(self._dx, (networks, *images.shape[1:]), W.dtype)
            self._dx[...] = 0
        for m, kernels in enumerate(W.reshape(networks, self.channels, -1)):
            windows = self._windows(images[m % len(images)], dy.shape[1:4])
            dkernels = dW[m].reshape(self.channels, -1)
            dkernels[...] = 0
            for rows, columns in self._parts(windows):
                patches = self._as_columns(windows[:, :, :, rows])
                dkernels += dproducts[m][:, columns] @ patches.T
                if self.passes_back:
                    # The patches were needed for the last time: their array receives dpatches.
                    dpatches = np.matmul(kernels.T, dproducts[m][:, columns], out=patches)
                    self._add_patches(self._dx[m], dpatches, rows)
        return self._without_border(self._dx) if self.passes_back else dy

    def _windows(self, image: FloatArray, shape: Shape) -> FloatArray:
        """All patches of an image (C, H, W, B) as a view (C, k, k, rows, columns, B), without a copy.

        Entry (i, u, v, r, c) is the pixel (i, s r + u, s c + v): one step of u goes one row of the image
        down, one step of r goes s rows down.

        Args:
            image: with its border.
            shape: of the output, (channels, rows, columns).
        """
        channel, row, column, sample = image.strides  # the bytes from one to the next
        k, s = self.kernel, self.stride
        sizes = (len(image), k, k, shape[1], shape[2], image.shape[-1])
        strides = (channel, row, column, s * row, s * column, sample)
        return as_strided(image, sizes, strides, writeable=False)

    def _parts(self, windows: FloatArray) -> Iterator[tuple[slice, slice]]:
        """Rows of the output whose patches fit into the cache, and their columns in the matrix of patches."""
        height, length = windows.shape[3], windows.shape[4] * windows.shape[5]
        row_bytes = windows[:, :, :, 0].size * windows.itemsize
        at_once = max(1, PATCH_BYTES // row_bytes)
        for start in range(0, height, at_once):
            stop = min(start + at_once, height)
            yield slice(start, stop), slice(start * length, stop * length)

    def _as_columns(self, windows: FloatArray) -> FloatArray:
        """Patches (C, k, k, rows, columns, B) as the columns of a matrix (C k k, rows columns B)."""
        self._patches = room(self._patches, windows.shape, windows.dtype)
        np.copyto(self._patches, windows)
        return self._patches.reshape(windows[..., 0, 0, 0].size, -1)

    def _add_patches(self, dimage: FloatArray, dpatches: FloatArray, rows: slice) -> None:
        """Add the gradient of each patch to that of the pixels that it was copied from.

        For each place (u, v) in a patch, the pixels that stand there in some patch are every s-th one, and
        each of them in one patch only; so a single addition serves all patches.

        Args:
            dimage: (C, H, W, B), with its border; changed in place.
            dpatches: (C k k, rows columns B).
            rows: of the output, those of the patches.
        """
        k, s = self.kernel, self.stride
        count = rows.stop - rows.start
        windows = dpatches.reshape(len(dimage), k, k, count, -1, dimage.shape[-1])
        for u in range(k):
            top = u + s * rows.start
            for v in range(k):
                pixels = dimage[:, top : top + s * count : s, v : v + s * windows.shape[4] : s]
                pixels += windows[:, u, v]

    def _with_border(self, x: FloatArray) -> FloatArray:
        """The images with `padding` pixels around each."""
        p = self.padding
        if not p:
            return x
        height, width = x.shape[2:4]
        shape = (*x.shape[:2], height + 2 * p, width + 2 * p, x.shape[-1])
        if self._padded.shape != shape:
            self._padded = np.zeros(shape, x.dtype)  # whose border nobody overwrites, unless it is circular
        padded = self._padded
        padded[:, :, p : p + height, p : p + width] = x
        if self.border == "circular":
            # Whole columns after the rows, so that the corners come from the opposite corners.
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
        if self.border == "circular":  # the four copies of `_with_border`, from the last to the first
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
        dx[...] = 0  # also of the pixels at the edge that are in no square
        undecided = np.ones(dy.shape, bool)
        for place, target in zip(_places(self._x, self.size), _places(dx, self.size), strict=True):
            chosen = (place == self._y) & undecided
            np.multiply(dy, chosen, out=target)
            undecided &= ~chosen
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
