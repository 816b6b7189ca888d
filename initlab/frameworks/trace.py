"""What a model of any library does with a batch: operations, their graph, the layers that all paths pass.

Symbols: B samples; z is the result of an operation, (B, ...); d the gradient of the samples' losses in z.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan, prod

BATCH = -1  # the source of operations that take the batch itself

# Functions that act on each number alone: what they take are pre-activations.
NONLINEAR = {
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"),
    *(
        "hardswish",
        "threshold",
        "logsigmoid",
        "tanh",
        "sigmoid",
        "softsign",
        "erf",
        "hardtanh",
        "hardsigmoid",
    ),
    *("tanhshrink", "function"),
}
NORMS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"}
SUMS = {"add", "sub"}
PRODUCTS = {"matmul", "bmm", "baddbmm", "einsum"}


@dataclass(kw_only=True)
class Operation:
    """One function that the model called, and what came out.

    Attributes:
        index: its place in the list of operations.
        kind: the function's name, as "linear".
        module: the path of the innermost module that called it, "" for the model itself.
        parameters: the names of the parameters that it took.
        sources: the indices of the operations whose results it took; -1 is the batch.
        shape: of the result.
        square: the mean square of the result.
        difference: 1 - c, with c the mean cosine between the results of two samples; or nan.
        distinct, dead, saturated: of what a nonlinear function takes: the share of units that compute
            something of their own, the share of units whose slope is 0 for every sample, and the share of
            slopes below 5 % of the steepest one, for functions with two bounds.
        entropy, logits: of attention, the mean entropy of its weights as a share of the largest, and the
            standard deviation of its logits; nan of other operations, and where nothing looks at them.
        gradient: |d|^2; where weights are shared over positions, |sum of d over positions|^2 if that is more.
    """

    index: int
    kind: str
    module: str
    parameters: tuple[str, ...]
    sources: tuple[int, ...]
    shape: tuple[int, ...]
    square: float
    difference: float
    distinct: float = 1.0
    dead: float = 0.0
    saturated: float = 0.0
    entropy: float = nan
    logits: float = nan
    gradient: float = nan

    @property
    def name(self) -> str:
        """The module's path; with the function's name where the path alone says nothing, as "linear 4"."""
        if any(letter.isalpha() for letter in self.module):
            return self.module
        return f"{self.kind} {self.module}".strip()


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A parameter of a model.

    Attributes:
        name: its path.
        shape: of PyTorch's layout, (n_out, n_in, kernel ...).
        square: their mean square.
        gradient: the mean square of the loss's gradient; nan where none arrived.
        is_frozen: whether it is not trained.
    """

    name: str
    shape: tuple[int, ...]
    square: float
    gradient: float
    is_frozen: bool = False

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def is_moving(self) -> bool:
        """Whether a step changes it, and it has a size to compare that with."""
        return self.square > 0 and not self.is_frozen and not isnan(self.gradient)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A forward and a backward pass.

    Attributes:
        operations: in the order of their calls.
        end: the index of the operation that gives the loss.
        weights: all parameters.
        input_square: the mean square of the inputs; nan for integers.
        input_difference: 1 - c of the inputs; nan for integers.
        loss: its value.
    """

    operations: Sequence[Operation]
    end: int
    weights: Sequence[Weight]
    input_square: float
    input_difference: float
    loss: float

    @property
    def seen(self) -> float:
        """The share of the parameters that an operation took."""
        taken = {name for operation in self.operations for name in operation.parameters}
        sizes = [(weight.size, weight.name in taken) for weight in self.weights]
        return sum(size for size, is_taken in sizes if is_taken) / max(sum(size for size, _ in sizes), 1)

    @cached_property
    def bottlenecks(self) -> list[Operation]:
        """The operations that every path from the batch to the loss passes.

        With n_in paths from the batch to an operation and n_out from there to the loss, n_in n_out paths
        pass it; where that is the number of all paths, none goes another way.
        """
        arriving = {BATCH: 1}
        for operation in self.operations:
            arriving[operation.index] = sum(arriving.get(source, 0) for source in operation.sources)
        leaving = {self.end: 1}
        for operation in reversed(self.operations[: self.end + 1]):
            for source in operation.sources:
                leaving[source] = leaving.get(source, 0) + leaving.get(operation.index, 0)
        every = arriving[self.end]
        return [
            operation
            for operation in self.operations[: self.end + 1]
            if arriving[operation.index] * leaving.get(operation.index, 0) == every
        ]

    @cached_property
    def consumers(self) -> dict[int, list[Operation]]:
        """Of each operation, those that take its result."""
        consumers: dict[int, list[Operation]] = {operation.index: [] for operation in self.operations}
        for operation in self.operations:
            for source in set(operation.sources) - {BATCH}:
                consumers[source].append(operation)
        return consumers

    @property
    def attentions(self) -> list[Operation]:
        """The operations that attend: in one call, or a softmax whose weights a product takes."""
        return [
            each
            for each in self.operations
            if not isnan(each.entropy)
            and (
                each.kind != "softmax" or any(after.kind in PRODUCTS for after in self.consumers[each.index])
            )
        ]

    @cached_property
    def branch_ends(self) -> list[Operation]:
        """Of each residual sum, the last layer or normalization of the branch that is added.

        The branch is the summand with more layers on its way from where the two part.
        """
        ends: list[Operation] = []
        for operation in self.operations:
            if operation.kind in SUMS and len(operation.sources) > 1 and not operation.parameters:
                ways = [self._way_up(source, operation) for source in operation.sources]
                longest = max(ways, key=len)
                if longest and all(len(way) < len(longest) for way in ways if way is not longest):
                    ends.append(longest[0])
        return ends

    def _way_up(self, source: int, end: Operation) -> list[Operation]:
        """The operations with parameters from a summand up to where it parts from the other summands."""
        others = set().union(*(self._ancestors(each) for each in end.sources if each != source))
        return [
            self.operations[index]
            for index in sorted(self._ancestors(source) - others, reverse=True)
            if self.operations[index].parameters
        ]

    def _ancestors(self, index: int) -> set[int]:
        """An operation, and all that it depends on."""
        ancestors: set[int] = set()
        waiting = [index]
        while waiting:
            current = waiting.pop()
            if current != BATCH and current not in ancestors:
                ancestors.add(current)
                waiting += self.operations[current].sources
        return ancestors

    @cached_property
    def stages(self) -> list[Operation]:
        """The hidden layers: bottlenecks that give pre-activations, residual sums or outputs of layers.

        A result that is only normalized counts after its normalization. The layer that gives the model's
        output is no hidden one, nor is what follows it.
        """
        layers = [operation for operation in self.bottlenecks if self._is_stage(operation)]
        last = max((o.index for o in self.operations if o.parameters and o.kind not in NORMS), default=-1)
        return [operation for operation in layers if operation.index < last]

    def _is_stage(self, operation: Operation) -> bool:
        consumers = self.consumers[operation.index]
        if consumers and all(consumer.kind in NORMS for consumer in consumers):
            return False
        is_sum = operation.kind in SUMS and len(set(operation.sources)) > 1
        is_pre_activation = any(consumer.kind in NONLINEAR for consumer in consumers)
        is_layer = bool(operation.parameters) and operation.kind not in NONLINEAR
        return is_sum or is_pre_activation or is_layer
