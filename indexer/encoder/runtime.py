"""How one side of a model computes: found out on the first inputs, then kept.

Until enough inputs have come it computes as it was loaded, exactly unless something else was
asked for. Then each way that may be quicker embeds the same inputs, taking turns; the least time
of each counts, which other work on the machine can only lengthen.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from indexer.core.errors import ModelError
from indexer.core.records import FloatArray
from indexer.encoder.onnx import ExportError
from indexer.encoder.precision import (
    LEAST_SPEED,
    Backend,
    Choice,
    Measured,
    Precision,
    best_of,
    centred_cosine,
    check_requested,
    has_int8_products,
    is_wide,
    refuse_slow,
    tell,
)

_log = logging.getLogger(__name__)

TRIAL_INPUTS = 16
"""Different inputs that a choice is made on; fewer tell little of a cosine."""

EXPORT_INPUTS = 256
"""Inputs after which an image tower is exported: before, the export takes longer than it spares."""

_TIMED = 8
_ROUNDS = 2
"""After one that is not counted: it packs weights."""

_PROJECTION = "projection"
"""How the names of the layers end whose outputs are vectors (CLIP and its family)."""

Forward = Callable[[Sequence[Any]], FloatArray]
"""float32 (n, d), rows of length 1, of n inputs."""

Clock = Callable[[], float]
Export = Callable[[Precision], Forward]
"""Makes an ONNX session of a side, as a way to embed inputs.

Raises:
    ExportError: it can't be.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to compute; layers that it replaces are in their place while it is entered."""

    precision: Precision
    backend: Backend
    forward: Forward
    replacement: Any = None

    def __enter__(self) -> Way:
        if self.replacement is not None:
            self.replacement.put()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.replacement is not None:
            self.replacement.undo()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a model, as a runtime sees it.

    Attributes:
        tower: its torch module.
        forward: embeds inputs by that module, as its layers are now.
        key: what tells inputs apart.
        loaded: number format of the module.
        device: where it computes.
        reference: embeds by the same side in float32; loads it where the module is not.
        layers: its linear layers that may be replaced; None for all of the module's.
        packs_at_once: weights in float32 are packed before the first input, where the processor
            gains by it: which bits a vector has must not follow from a clock.
        export: None where the side can't be exported.
    """

    tower: Callable[[], Any]
    forward: Forward
    key: Callable[[Any], Any]
    loaded: Precision
    device: str
    reference: Callable[[], Forward]
    layers: Callable[[], Collection[Any]] | None = None
    packs_at_once: bool = False
    export: Export | None = None


class Runtime:
    """One side of a model at work. Not for several threads at once.

    Args:
        requested: what was asked for; ``FLOAT32`` for a side that is to stay exact.
        on_choice: is told what was chosen.
        clock: seconds.
    """

    def __init__(
        self,
        side: Side,
        requested: Precision,
        *,
        on_choice: Callable[[Choice], None] = lambda _choice: None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._side, self._requested = side, requested
        self._on_choice, self._clock = on_choice, clock
        self._sample: dict[Any, Any] = {}
        self._seen = 0
        self._way: Way | None = None
        self.choice: Choice | None = None
        if side.packs_at_once and requested is Precision.FLOAT32 and side.loaded is requested:
            self.choice = Choice(precision=requested)  # nothing is left to be tried

    @property
    def precision(self) -> Precision:
        """What it computes in now."""
        if self.choice is not None:
            return self.choice.precision
        return self._side.loaded if self._requested is Precision.AUTO else self._requested

    def __call__(self, inputs: Sequence[Any]) -> FloatArray:
        """Embed inputs of the user's; the first ones decide how.

        Raises:
            ModelError: what was asked for does not do.
        """
        self.see(inputs)
        return self.embed(inputs)

    def see(self, inputs: Sequence[Any]) -> None:
        """Decide how to compute, once enough inputs of the user's have come.

        Raises:
            ModelError: what was asked for does not do.
        """
        self.start()
        if self.choice is None or not self.choice.complete:
            self._seen += len(inputs)
            for item in inputs:
                if len(self._sample) < TRIAL_INPUTS:
                    self._sample.setdefault(self._side.key(item), item)
            self._decide()

    def start(self) -> None:
        """Compute as is asked for, until something better is found.

        Raises:
            ModelError: what was asked for is far slower than float32.
        """
        if self._way is None:
            complete = self.choice is not None and self.choice.complete
            self._turn_to(self._requested_way(), for_good=complete)

    def embed(self, inputs: Sequence[Any]) -> FloatArray:
        """Embed inputs that nothing is to be decided by."""
        self.start()
        assert self._way is not None
        return self._way.forward(inputs)

    def take(self, choice: Choice) -> None:
        """Compute as was chosen once, without a trial."""
        try:
            way = self._way_of(choice.precision, choice.backend)
        except ExportError as error:  # it is found out anew what is best without
            _log.warning("%s by %s: %s", choice.precision, choice.backend, error)
            return
        self.choice = choice
        self._turn_to(way, for_good=choice.complete)
        if self._requested is Precision.AUTO:
            tell(choice, [])

    def _decide(self) -> None:
        sample = list(self._sample.values())
        if len(sample) < TRIAL_INPUTS:
            return
        if self.choice is None:
            self._choose(self._ways(self._leave()), sample)
        if self.choice is not None and not self.choice.complete and self._seen >= EXPORT_INPUTS:
            ways = self._ways(self._leave())
            self._choose([*ways, *self._exported()], sample, complete=True)

    def _leave(self) -> Way | None:
        """Compute as it was loaded again: only plain layers can be replaced, or exported."""
        previous = self._way
        self._turn_to(None)
        return previous

    def _choose(self, ways: list[Way], sample: list[Any], *, complete: bool = False) -> None:
        """Take the best of some ways, or the one that was asked for if it does."""
        side, requested = self._side, self._requested
        measured = self._measured(ways, sample)
        if requested in {Precision.AUTO, Precision.FLOAT32}:
            choice = best_of(measured)
        else:
            best = max(measured, key=lambda candidate: candidate.speedup)
            check_requested(best)
            choice = Choice(
                precision=requested, backend=best.backend, cosine=best.cosine, speedup=best.speedup
            )
        exportable = side.export is not None and side.loaded is Precision.FLOAT32
        self.choice = replace(choice, complete=complete or not exportable)
        if self.choice.complete:
            self._sample.clear()
        ways_by_kind = {(way.precision, way.backend): way for way in ways}
        way = ways_by_kind.get((choice.precision, choice.backend))
        if way is None and choice.precision is not side.loaded:
            # The weights are in half precision, and that does not do.
            way = replace(self._as_loaded(), precision=choice.precision, forward=side.reference())
        self._turn_to(way or self._as_loaded(), for_good=self.choice.complete)
        if requested is Precision.AUTO and (complete or side.export is None):
            tell(self.choice, measured)
        self._on_choice(self.choice)

    def _turn_to(self, way: Way | None, *, for_good: bool = False) -> None:
        if self._way is not None:
            self._way.__exit__()
        self._way = way
        if way is not None:
            way.__enter__()
            if for_good and way.replacement is not None:
                way.replacement.keep()

    def _measured(self, ways: list[Way], sample: list[Any]) -> list[Measured]:
        """Each way against torch's float32, a round after the other."""
        if not ways:
            return []
        exact = self._as_loaded()
        if self._side.loaded is not Precision.FLOAT32:
            exact = replace(exact, precision=Precision.FLOAT32, forward=self._side.reference())
        all_ways = [exact, *ways]
        vectors, seconds = [], [float("inf")] * len(all_ways)
        for way in all_ways:
            with way:
                vectors.append(way.forward(sample))
        for _ in range(_ROUNDS):
            for number, way in enumerate(all_ways):
                with way:
                    start = self._clock()
                    way.forward(sample[:_TIMED])
                    seconds[number] = min(seconds[number], self._clock() - start)
        return [
            Measured(
                precision=way.precision,
                backend=way.backend,
                speedup=seconds[0] / max(seconds[number], 1e-9),
                cosine=centred_cosine(vectors[number], vectors[0]),
            )
            for number, way in enumerate(all_ways)
            if number
        ]

    def _ways(self, previous: Way | None) -> list[Way]:
        """What may be tried without an export, float32 first."""
        from indexer.encoder.linear import PackedLinear, is_right

        side = self._side
        if side.loaded is not Precision.FLOAT32:
            return [self._as_loaded()]
        if side.device != "cpu":
            return []
        if previous is not None and previous.backend is Backend.ONNX:
            return [previous]  # torch's int8 is slower than float32 here
        ways = []
        packs = self._requested is not Precision.INT8 and not side.packs_at_once
        if packs and is_right(PackedLinear, tolerance=1e-5):
            ways.append(self._packed(Precision.FLOAT32))
        if self._requested is Precision.INT8 or (
            self._requested is Precision.AUTO and self._int8_pays()
        ):
            ways.append(self._packed(Precision.INT8))
        return ways

    def _exported(self) -> list[Way]:
        """What ONNX Runtime makes of it, where it can."""
        precisions = [Precision.FLOAT32, Precision.INT8]
        if self._requested is not Precision.AUTO or not is_wide(self._layers):
            precisions = [
                Precision.FLOAT32 if self._requested is Precision.AUTO else self._requested
            ]
        try:
            return [self._way_of(precision, Backend.ONNX) for precision in precisions]
        except ExportError as error:
            _log.info("ONNX Runtime is not used: %s", error)
            return []

    def _requested_way(self) -> Way:
        """What is computed in before anything is measured.

        Raises:
            ModelError: what was asked for is far slower than float32.
        """
        from indexer.encoder.linear import Int8Linear, is_right, layer_speed

        side, requested = self._side, self._requested
        if side.device != "cpu" or requested in {Precision.AUTO, Precision.FLOAT32}:
            return self._as_loaded()
        if requested is not Precision.INT8:
            refuse_slow(requested, layer_speed(self._layers, str(requested), self._clock))
            return self._as_loaded()
        if not is_right(Int8Linear, tolerance=0.05):
            raise ModelError(
                "--precision int8: this build of torch can't multiply in int8 on this processor. "
                "Use --precision float32."
            )
        speed = layer_speed(self._layers, Int8Linear, self._clock)
        if speed < LEAST_SPEED and side.export is not None:
            with contextlib.suppress(ExportError):
                return self._way_of(requested, Backend.ONNX)
        refuse_slow(requested, speed)
        return self._packed(requested)

    def _way_of(self, precision: Precision, backend: Backend) -> Way:
        side = self._side
        if backend is Backend.TORCH:
            return self._as_loaded()
        if backend is Backend.PACKED:
            return self._packed(precision)
        if side.export is None:
            raise ExportError("it is not installed: pip install 'zeroshelf[onnx]'")
        return Way(precision=precision, backend=backend, forward=side.export(precision))

    def _packed(self, precision: Precision) -> Way:
        """Its linear layers by oneDNN; in int8 all but the one that makes the vector."""
        from indexer.encoder.linear import Int8Linear, PackedLinear, Replacement

        int8 = precision is Precision.INT8

        def is_replaced(name: str, layer: Any) -> bool:
            return layer in self._layers and not (int8 and name.endswith(_PROJECTION))

        kind = Int8Linear if int8 else PackedLinear
        return Way(
            precision=precision,
            backend=Backend.PACKED,
            forward=self._side.forward,
            replacement=Replacement(self._side.tower(), kind, where=is_replaced),
        )

    def _as_loaded(self) -> Way:
        from indexer.encoder.linear import packing_gains

        side = self._side
        in_float32 = side.device == "cpu" and side.loaded is Precision.FLOAT32
        if side.packs_at_once and in_float32 and packing_gains():
            return self._packed(side.loaded)
        return Way(precision=side.loaded, backend=Backend.TORCH, forward=side.forward)

    def _int8_pays(self) -> bool:
        """Whether int8 is worth a trial: wide layers, and instructions for it."""
        from indexer.encoder.linear import Int8Linear, is_right, layer_speed

        if not has_int8_products() or not is_wide(self._layers):
            return False
        right = is_right(Int8Linear, tolerance=0.05)
        return right and layer_speed(self._layers, Int8Linear, self._clock) >= LEAST_SPEED

    @cached_property
    def _layers(self) -> frozenset[Any]:
        """The linear layers that may be replaced; first asked for while none is."""
        from indexer.encoder.linear import linear_layers

        side = self._side
        if side.layers is not None:
            return frozenset(side.layers())
        return frozenset(layer for _, _, layer in linear_layers(side.tower()))
