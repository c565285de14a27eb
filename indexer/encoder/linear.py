"""Faster linear layers for a CPU: the same product in float32, or a product in int8.

torch multiplies float32 by MKL, which uses half of the vector width of processors that are not
Intel's. oneDNN, which torch has too, uses all of it. In int8 each row of the input (a token) has a
scale of its own, and so has each output (Dettmers et al. 2022, "LLM.int8()", arXiv:2208.07339,
section 3.1, vector-wise quantization). So a vector does not depend on the rest of its batch.

Both layers pack their weights at first use, so a tower that is not used costs nothing. Neither
can be differentiated: where gradients are on, the plain product is computed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from functools import cache

import torch
from torch import Tensor, nn

# Of int8; -128 stays unused, so that the scale is the same on both sides of zero.
_LARGEST = 127.0
_LEAST_SCALE = 1e-12  # a row of zeros must not divide by zero

_TYPICAL_ROWS = 1600
"""Rows that oneDNN packs a weight for: 32 pictures of 50 tokens. Other numbers work too."""

_TIMED_ROWS = 256
# A layer of fewer weights than 512 x 512 takes microseconds: its time says little.
_TIMED_WEIGHTS = 2**18


class PackedLinear(nn.Module):
    """``nn.Linear`` in float32 by oneDNN, the weight packed once.

    Args:
        linear: the layer whose place it takes, float32.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._plain: nn.Linear | None = linear
        self._packed: tuple[Tensor, ...] = ()
        self._bias: Tensor | None = None

    @property
    def weight(self) -> Tensor:
        """float32 (out, in), as the product has it."""
        return self._unpacked() if self._plain is None else self._plain.weight

    @property
    def bias(self) -> Tensor | None:
        """float32 (out,)."""
        return self._bias if self._plain is None else self._plain.bias

    def forward(self, rows: Tensor) -> Tensor:
        """float32 (..., in) to float32 (..., out)."""
        if torch.is_grad_enabled():
            return nn.functional.linear(rows, self.weight, self.bias)
        if self._plain is not None:
            self._pack(self._plain)
        return self._product(rows)

    def _pack(self, linear: nn.Linear) -> None:
        with torch.no_grad():
            self._packed = self._packed_weight(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._plain = None

    def _packed_weight(self, weight: Tensor) -> tuple[Tensor, ...]:
        return (torch.ops.mkldnn._reorder_linear_weight(weight, _TYPICAL_ROWS),)

    def _unpacked(self) -> Tensor:
        return self._packed[0].to_dense()

    def _product(self, rows: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._packed[0], self._bias, "none", [], ""
        )
        return product


class Int8Linear(PackedLinear):
    """``nn.Linear`` with weights of int8 and inputs that are rounded to int8.

    Each row of the input is rounded between its own least and greatest value. Outputs of an
    activation function are hardly ever negative and would waste half of a symmetric range.
    """

    def _packed_weight(self, weight: Tensor) -> tuple[Tensor, ...]:
        scales = (weight.abs().amax(dim=1) / _LARGEST).clamp(min=_LEAST_SCALE)
        rounded = (weight / scales[:, None]).round_()
        return rounded.to(torch.int8).t().contiguous(), scales, rounded.sum(dim=1) * scales

    def _unpacked(self) -> Tensor:
        weight, scales, _ = self._packed
        return weight.t().float() * scales[:, None]

    def _product(self, rows: Tensor) -> Tensor:
        weight, weight_scales, weight_sums = self._packed
        flat = rows.reshape(-1, self.in_features)
        # torch.aminmax gives both at once, but takes twenty times as long.
        least, greatest = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
        scales = ((greatest - least) / (2 * _LARGEST)).clamp_(min=_LEAST_SCALE)
        middles = (least + greatest) / 2
        rounded = (flat * (1 / scales)).sub_(middles / scales).round_().to(torch.int8)
        product = torch._int_mm(rounded, weight) * weight_scales
        product.mul_(scales).addcmul_(middles, weight_sums[None])
        if self._bias is not None:
            product.add_(self._bias)
        return product.reshape(*rows.shape[:-1], self.out_features)


def linear_layers(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Each plain linear layer with the module that holds it and its name there.

    Subclasses are left out, because ``nn.MultiheadAttention`` reads the weights of its layers.
    """
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            yield module, name, child
        else:
            yield from linear_layers(child)


def linear_set(module: nn.Module) -> frozenset[nn.Linear]:
    """All layers of ``linear_layers``."""
    return frozenset(layer for _, _, layer in linear_layers(module))


class Replacement:
    """Replaces linear layers of a module, and can restore them.

    Args:
        where: selects layers by their name in the module that holds them, and by the layer.
    """

    def __init__(
        self,
        module: nn.Module,
        make: Callable[[nn.Linear], nn.Module],
        *,
        where: Callable[[str, nn.Linear], bool] = lambda _name, _linear: True,
    ) -> None:
        places = [place for place in linear_layers(module) if where(*place[1:])]
        self._places = [(*place, make(place[2])) for place in places]

    def apply(self) -> None:
        """Set the new layers in place."""
        for holder, name, _, replacement in self._places:
            setattr(holder, name, replacement)

    def revert(self) -> None:
        """Restore the linear layers."""
        for holder, name, linear, _ in self._places:
            setattr(holder, name, linear)

    def make_permanent(self) -> None:
        """Forget the linear layers, which frees their memory."""
        self._places.clear()


def layers_in_use(model: nn.Module, compute: Callable[[], object]) -> set[nn.Module]:
    """The linear layers that a computation goes through."""
    used_layers: set[nn.Module] = set()
    hooks = [
        linear.register_forward_hook(lambda layer, _input, _output: used_layers.add(layer))
        for _, _, linear in linear_layers(model)
    ]
    try:
        compute()
    finally:
        for hook in hooks:
            hook.remove()
    return used_layers


def computes_correctly(layer: Callable[[nn.Linear], nn.Module], *, tolerance: float) -> bool:
    """Whether this build of torch and this processor compute a layer's product correctly.

    Args:
        tolerance: allowed error of a value; values are about 1.
    """
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(64, 64, generator=generator)
    with torch.inference_mode():
        linear = nn.Linear(64, 64).requires_grad_(requires_grad=False)
        linear.weight.normal_(std=0.125, generator=generator)
        try:
            product = layer(linear)(rows)
        # A build without the operator has no such attribute; one without its kernel raises.
        except (AttributeError, NotImplementedError, RuntimeError):
            return False
        return bool((product - linear(rows)).abs().max() <= tolerance)


@cache
def packing_gains() -> bool:
    """Whether packed weights are faster here, by the processor's instructions, not by a clock.

    With AVX-512 they have 2.4 times the rate of a plain loop; with AVX2 alone they gain nothing.
    """
    wide = "AVX512" in torch.backends.cpu.get_cpu_capability()
    return wide and computes_correctly(PackedLinear, tolerance=1e-5)


def layer_speed(
    layers: Collection[nn.Linear],
    alternative: str | Callable[[nn.Linear], nn.Module],
    clock: Callable[[], float],
) -> float:
    """Rate of the largest layer in another form over its rate in float32, by the least of three.

    Args:
        layers: 1.0 is returned for none or only small ones. A call of a small layer takes longer
            than its product, so its time would measure other things.
        alternative: makes the other layer, or a number format as torch calls it.
        clock: seconds.
    """
    layer = max(
        layers, key=lambda linear: (linear.weight.numel(), linear.in_features), default=None
    )
    if layer is None or layer.weight.numel() < _TIMED_WEIGHTS:
        return 1.0
    plain = nn.Linear(layer.in_features, layer.out_features)
    rows = torch.randn(_TIMED_ROWS, layer.in_features, generator=torch.Generator().manual_seed(0))
    timed: list[tuple[nn.Module, Tensor]] = [(plain, rows)]
    if isinstance(alternative, str):
        dtype = getattr(torch, alternative)
        timed.append((copy.deepcopy(plain).to(dtype), rows.to(dtype)))
    else:
        timed.append((alternative(plain), rows))
    seconds = [float("inf"), float("inf")]
    with torch.inference_mode():
        for number in range(4):
            for place, (module, inputs) in enumerate(timed):
                start = clock()
                module(inputs)
                took = clock() - start
                if number:  # the first packs the weights
                    seconds[place] = min(seconds[place], took)
    return seconds[0] / max(seconds[1], 1e-9)
