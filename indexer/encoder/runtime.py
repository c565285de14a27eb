"""How one side of a model computes: measured on the first inputs, then settled.

Until enough inputs have come a side computes as it was loaded, exactly unless the user requested
another precision. Then each variant that may be faster embeds the same inputs, in turns. The
least time of each counts, because other work on the machine only lengthens times.
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
    Measured,
    Precision,
    PrecisionChoice,
    best_of,
    centred_cosine,
    check_requested,
    has_int8_products,
    is_wide,
    log_choice,
    refuse_slow,
)

_log = logging.getLogger(__name__)

TRIAL_INPUTS = 16
"""Different inputs that a choice is made on; fewer say little about a cosine."""

EXPORT_INPUTS = 256
"""Inputs after which an image tower is exported; for fewer the export costs more than it saves."""

_TIMED = 8
_ROUNDS = 2
"""Timed rounds; the first round of all packs weights and is not timed."""

_PROJECTION = "projection"
"""Suffix of the layers whose outputs are embeddings (CLIP and its family)."""

Forward = Callable[[Sequence[Any]], FloatArray]
"""float32 (n, d), rows of length 1, of n inputs."""

Clock = Callable[[], float]
Export = Callable[[Precision], Forward]
"""Exports a side to ONNX Runtime; raises ``ExportError`` where that is impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An implementation of a side; while it is entered, its layers replace the plain ones."""

    precision: Precision
    backend: Backend
    forward: Forward
    replacement: Any = None

    def __enter__(self) -> Variant:
        if self.replacement is not None:
            self.replacement.apply()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.replacement is not None:
            self.replacement.revert()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a model: what embeds pictures, or what embeds texts.

    Attributes:
        tower: its torch module.
        forward: embeds inputs by that module, with the layers that it has at the time.
        key: identifies an input, so that equal ones count once.
        loaded: number format of the module's weights.
        device: where it computes.
        reference: embeds by the same side in float32; loads it if the module is in another format.
        layers: the linear layers that may be replaced; None for all of the module's.
        packs_at_once: pack float32 weights before the first input where the processor gains by
            it. So the bits of a vector never depend on a measured time.
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
    """Runs one side of a model and chooses its implementation. Not for several threads at once.

    Args:
        requested: the user's precision; ``FLOAT32`` for a side that must stay exact.
        on_choice: receives the choice.
        clock: seconds.
    """

    def __init__(
        self,
        side: Side,
        requested: Precision,
        *,
        on_choice: Callable[[PrecisionChoice], None] = lambda _choice: None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._side, self._requested = side, requested
        self._on_choice, self._clock = on_choice, clock
        self._sample: dict[Any, Any] = {}
        self._seen = 0
        self._variant: Variant | None = None
        self.choice: PrecisionChoice | None = None
        if side.packs_at_once and requested is Precision.FLOAT32 and side.loaded is requested:
            self.choice = PrecisionChoice(precision=requested)  # no variant is left to be measured

    @property
    def precision(self) -> Precision:
        """The number format of the present variant."""
        if self.choice is not None:
            return self.choice.precision
        return self._side.loaded if self._requested is Precision.AUTO else self._requested

    def __call__(self, inputs: Sequence[Any]) -> FloatArray:
        """Embed inputs; the first ones are also the sample that variants are measured on.

        Raises:
            ModelError: the requested precision is unusable here.
        """
        self.prepare()
        if self.choice is None or not self.choice.complete:
            self._seen += len(inputs)
            for item in inputs:
                if len(self._sample) < TRIAL_INPUTS:
                    self._sample.setdefault(self._side.key(item), item)
            self._decide()
        return self.embed(inputs)

    def prepare(self) -> None:
        """Set up the requested variant, if none is set up yet.

        Raises:
            ModelError: the requested precision is far slower than float32.
        """
        if self._variant is None:
            complete = self.choice is not None and self.choice.complete
            self._switch_to(self._requested_variant(), for_good=complete)

    def embed(self, inputs: Sequence[Any]) -> FloatArray:
        """Embed inputs without measuring on them, such as probes."""
        self.prepare()
        assert self._variant is not None
        return self._variant.forward(inputs)

    def apply_choice(self, choice: PrecisionChoice) -> None:
        """Use the choice of an earlier start, without measuring."""
        try:
            variant = self._variant_of(choice.precision, choice.backend)
        except ExportError as error:  # the choice is made again, without ONNX Runtime
            _log.warning("%s by %s: %s", choice.precision, choice.backend, error)
            return
        self.choice = choice
        self._switch_to(variant, for_good=choice.complete)
        if self._requested is Precision.AUTO:
            log_choice(choice, [])

    def _decide(self) -> None:
        sample = list(self._sample.values())
        if len(sample) < TRIAL_INPUTS:
            return
        if self.choice is None:
            self._choose(self._variants(self._restore_plain()), sample)
        if self.choice is not None and not self.choice.complete and self._seen >= EXPORT_INPUTS:
            variants = self._variants(self._restore_plain())
            self._choose([*variants, *self._exported_variants()], sample, complete=True)

    def _restore_plain(self) -> Variant | None:
        """Restore the plain layers, since only these can be replaced or exported."""
        previous = self._variant
        self._switch_to(None)
        return previous

    def _choose(
        self, variants: list[Variant], sample: list[Any], *, complete: bool = False
    ) -> None:
        """Measure variants and switch to the best, or check the requested one."""
        side, requested = self._side, self._requested
        measured = self._measured(variants, sample)
        if requested in {Precision.AUTO, Precision.FLOAT32}:
            choice = best_of(measured)
        else:
            best = max(measured, key=lambda candidate: candidate.speedup)
            check_requested(best)
            choice = PrecisionChoice(
                precision=requested, backend=best.backend, cosine=best.cosine, speedup=best.speedup
            )
        exportable = side.export is not None and side.loaded is Precision.FLOAT32
        self.choice = replace(choice, complete=complete or not exportable)
        if self.choice.complete:
            self._sample.clear()
        variants_by_kind = {(variant.precision, variant.backend): variant for variant in variants}
        variant = variants_by_kind.get((choice.precision, choice.backend))
        if variant is None and choice.precision is not side.loaded:
            # The weights were loaded in half precision, which turned the vectors too far.
            variant = replace(
                self._as_loaded(), precision=choice.precision, forward=side.reference()
            )
        self._switch_to(variant or self._as_loaded(), for_good=self.choice.complete)
        if requested is Precision.AUTO and (complete or side.export is None):
            log_choice(self.choice, measured)
        self._on_choice(self.choice)

    def _switch_to(self, variant: Variant | None, *, for_good: bool = False) -> None:
        if self._variant is not None:
            self._variant.__exit__()
        self._variant = variant
        if variant is not None:
            variant.__enter__()
            if for_good and variant.replacement is not None:
                variant.replacement.make_permanent()

    def _measured(self, variants: list[Variant], sample: list[Any]) -> list[Measured]:
        """Time and cosine of each variant against torch's float32."""
        if not variants:
            return []
        exact = self._as_loaded()
        if self._side.loaded is not Precision.FLOAT32:
            exact = replace(exact, precision=Precision.FLOAT32, forward=self._side.reference())
        all_variants = [exact, *variants]
        vectors, seconds = [], [float("inf")] * len(all_variants)
        for variant in all_variants:
            with variant:
                vectors.append(variant.forward(sample))
        for _ in range(_ROUNDS):
            for number, variant in enumerate(all_variants):
                with variant:
                    start = self._clock()
                    variant.forward(sample[:_TIMED])
                    seconds[number] = min(seconds[number], self._clock() - start)
        return [
            Measured(
                precision=variant.precision,
                backend=variant.backend,
                speedup=seconds[0] / max(seconds[number], 1e-9),
                cosine=centred_cosine(vectors[number], vectors[0]),
            )
            for number, variant in enumerate(all_variants)
            if number
        ]

    def _variants(self, previous: Variant | None) -> list[Variant]:
        """Variants that need no export, float32 first."""
        from indexer.encoder.linear import PackedLinear, computes_correctly

        side = self._side
        if side.loaded is not Precision.FLOAT32:
            return [self._as_loaded()]
        if side.device != "cpu":
            return []
        if previous is not None and previous.backend is Backend.ONNX:
            return [previous]  # torch's int8 is slower than float32 here
        variants = []
        packs = self._requested is not Precision.INT8 and not side.packs_at_once
        if packs and computes_correctly(PackedLinear, tolerance=1e-5):
            variants.append(self._packed(Precision.FLOAT32))
        if self._requested is Precision.INT8 or (
            self._requested is Precision.AUTO and self._int8_pays()
        ):
            variants.append(self._packed(Precision.INT8))
        return variants

    def _exported_variants(self) -> list[Variant]:
        """Variants of ONNX Runtime; none where the tower can't be exported."""
        precisions = [self._requested]
        if self._requested is Precision.AUTO:
            int8 = [Precision.INT8] if is_wide(self._layers) else []
            precisions = [Precision.FLOAT32, *int8]
        try:
            return [self._variant_of(precision, Backend.ONNX) for precision in precisions]
        except ExportError as error:
            _log.info("ONNX Runtime is not used: %s", error)
            return []

    def _requested_variant(self) -> Variant:
        """The variant that is used before anything is measured.

        Raises:
            ModelError: the requested precision is far slower than float32.
        """
        from indexer.encoder.linear import Int8Linear, computes_correctly, layer_speed

        side, requested = self._side, self._requested
        if side.device != "cpu" or requested in {Precision.AUTO, Precision.FLOAT32}:
            return self._as_loaded()
        if requested is not Precision.INT8:
            refuse_slow(requested, layer_speed(self._layers, str(requested), self._clock))
            return self._as_loaded()
        if not computes_correctly(Int8Linear, tolerance=0.05):
            raise ModelError(
                "--precision int8: this build of torch can't multiply in int8 on this processor. "
                "Use --precision float32."
            )
        speed = layer_speed(self._layers, Int8Linear, self._clock)
        if speed < LEAST_SPEED and side.export is not None:
            with contextlib.suppress(ExportError):
                return self._variant_of(requested, Backend.ONNX)
        refuse_slow(requested, speed)
        return self._packed(requested)

    def _variant_of(self, precision: Precision, backend: Backend) -> Variant:
        side = self._side
        if backend is Backend.TORCH:
            return self._as_loaded()
        if backend is Backend.PACKED:
            return self._packed(precision)
        if side.export is None:
            raise ExportError("it is not installed: pip install 'zeroshelf[onnx]'")
        return Variant(precision=precision, backend=backend, forward=side.export(precision))

    def _packed(self, precision: Precision) -> Variant:
        """The linear layers by oneDNN; in int8 all but the projection."""
        from indexer.encoder.linear import Int8Linear, PackedLinear, Replacement

        int8 = precision is Precision.INT8

        def is_replaced(name: str, layer: Any) -> bool:
            return layer in self._layers and not (int8 and name.endswith(_PROJECTION))

        kind = Int8Linear if int8 else PackedLinear
        return Variant(
            precision=precision,
            backend=Backend.PACKED,
            forward=self._side.forward,
            replacement=Replacement(self._side.tower(), kind, where=is_replaced),
        )

    def _as_loaded(self) -> Variant:
        from indexer.encoder.linear import packing_gains

        side = self._side
        in_float32 = side.device == "cpu" and side.loaded is Precision.FLOAT32
        if side.packs_at_once and in_float32 and packing_gains():
            return self._packed(side.loaded)
        return Variant(precision=side.loaded, backend=Backend.TORCH, forward=side.forward)

    def _int8_pays(self) -> bool:
        """Whether int8 is worth measuring: wide layers, and instructions for it."""
        from indexer.encoder.linear import Int8Linear, computes_correctly, layer_speed

        if not has_int8_products() or not is_wide(self._layers):
            return False
        correct = computes_correctly(Int8Linear, tolerance=0.05)
        return correct and layer_speed(self._layers, Int8Linear, self._clock) >= LEAST_SPEED

    @cached_property
    def _layers(self) -> frozenset[Any]:
        """The linear layers that may be replaced; read before any is."""
        from indexer.encoder.linear import linear_set

        side = self._side
        return linear_set(side.tower()) if side.layers is None else frozenset(side.layers())
