"""Checks that a model's files hold every weight that its vectors come from.

transformers fills a missing weight with random numbers and only logs it. Then two runs of the
same command give two answers. So its loading report is read for every model, including models
that sentence-transformers loads.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ModelError
from indexer.core.records import FloatArray
from indexer.encoder.logits import LOGIT_NAMES

if TYPE_CHECKING:
    import torch

_NAMED = 4
"""Weights that a message names; a missing tower has hundreds."""

# Weights that have no part in a vector change nothing when noise is added to them.
_UNCHANGED = 1e-6
_QUANTIZED = {"I8", "U8", "I4", "F8_E4M3", "F8_E5M2", "F4"}
"""As safetensors names number formats."""
_BUFFERS = {"inv_freq", "masked_bias", "position_ids"}
_reporting = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that transformers loaded, by itself or as a part of another.

    Attributes:
        missing: names of weights that its files do not have.
        unexpected: names of weights of its files that it has no place for.
        mismatched: name, shape in the files, shape by the configuration.
    """

    module: Any
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class LoadingReport:
    """All models that transformers loaded within ``loading_report``."""

    models: list[LoadedModel] = field(default_factory=list)

    def require_complete(self, model: str, vectors: Callable[[], FloatArray] | None = None) -> None:
        """Refuse a model whose vectors come from weights that its files do not have.

        Also one whose files have more than its layers take: it would be cut off in silence.

        Args:
            model: what it is called, for the message.
            vectors: embeds a probe of each kind. A missing weight that it does not depend on,
                such as the pooler of a text model whose vectors are means, is no loss. None
                says that all weights take part.

        Raises:
            ModelError: names the weights, the cause and the remedy.
        """
        for loaded in self.models:
            if loaded.mismatched:
                raise ModelError(f"model {model!r} {_mismatched(loaded)}")
        incomplete = [loaded for loaded in self.models if loaded.missing]
        if incomplete and (vectors is None or _affect_vectors(incomplete, vectors)):
            raise ModelError(f"model {model!r} {_missing(incomplete[0])}")
        for loaded in self.models:
            if names := _unused_layer_weights(loaded):
                raise ModelError(f"model {model!r} {_other_layers(names)}")


@contextlib.contextmanager
def loading_report(*, elsewhere: tuple[str, ...] = ()) -> Iterator[LoadingReport]:
    """Collect transformers' reports on the weights of all models that are loaded meanwhile.

    sentence-transformers does not return them, so ``from_pretrained`` is wrapped meanwhile.

    Args:
        elsewhere: prefixes of weights that the same files hold for another model.
    """
    from transformers import PreTrainedModel

    report = LoadingReport()
    plain = vars(PreTrainedModel)["from_pretrained"]

    def reporting(kind: Any, *args: Any, **options: Any) -> Any:
        if options.get("output_loading_info"):
            return plain.__func__(kind, *args, **options)
        # Other shapes are reported rather than raised: our error names the remedy.
        options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, info = plain.__func__(kind, *args, **options)
        # Logit scale and bias are no part of a vector; they are read separately.
        missing = (key for key in info["missing_keys"] if key.split(".")[-1] not in LOGIT_NAMES)
        unexpected = (key for key in info["unexpected_keys"] if not key.startswith(elsewhere))
        report.models.append(
            LoadedModel(
                module=model,
                missing=tuple(sorted(missing)),
                unexpected=tuple(sorted(unexpected)),
                mismatched=tuple(sorted(info["mismatched_keys"])),
            )
        )
        return model

    with _reporting:
        PreTrainedModel.from_pretrained = classmethod(reporting)  # type: ignore[assignment, method-assign]
        try:
            yield report
        finally:
            PreTrainedModel.from_pretrained = plain  # type: ignore[method-assign]


def require_floating(folder: Path, model: str) -> None:
    """Refuse weights in a quantized number format whose scales transformers would not apply.

    Without ``quantization_config`` it copies the integers into floating-point layers, and the
    vectors are noise.

    Args:
        folder: of a model in the layout of transformers or sentence-transformers.
        model: what it is called, for the message.

    Raises:
        ModelError: names a weight, its format and the remedy.
    """
    for file in sorted(folder.rglob("*.safetensors")):
        config = file.with_name("config.json")
        if config.is_file() and "quantization_config" in config.read_text(encoding="utf-8"):
            continue
        for name, number_format in _formats(file):
            if name.endswith(".weight") and number_format in _QUANTIZED:
                raise ModelError(
                    f"model {model!r} has {name} as {number_format} in {file.name}, and its "
                    "config.json has no quantization_config: without its scales such a weight "
                    "means nothing. Give --model a folder with weights in float32, float16 or "
                    "bfloat16."
                )


def _formats(file: Path) -> list[tuple[str, str]]:
    """Name and number format of each weight; none of a file that can't be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as weights:
            return [(name, weights.get_slice(name).get_dtype()) for name in weights.keys()]  # noqa: SIM118
    except (OSError, SafetensorError):  # loading it says so
        return []


def _affect_vectors(incomplete: Collection[LoadedModel], vectors: Callable[[], FloatArray]) -> bool:
    """Whether vectors change with the weights that are missing, whatever these are set to."""
    import torch

    weights = [weight for loaded in incomplete for weight in _weights(loaded)]
    original, saved = vectors(), [weight.clone() for weight in weights]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in weights:
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(noise.to(weight.device, weight.dtype))
        after = vectors()
        for weight, value in zip(weights, saved, strict=True):
            weight.copy_(value)
    # Not "greater than", which is False where noise made the vectors NaN.
    return not bool(np.abs(original - after).max() <= _UNCHANGED)


def _unused_layer_weights(loaded: LoadedModel) -> list[str]:
    """Unexpected weights of layers that the model has, or would have if it were deeper."""
    modules = dict(loaded.module.named_modules())
    layers = tuple({_pattern(name) + "." for name in modules if name.rpartition(".")[2].isdigit()})
    prefix = f"{loaded.module.base_model_prefix}."
    names = []
    for name in loaded.unexpected:
        # Files of a model with a head have the prefix before names that the bare model has not.
        for own_name in (name, name.removeprefix(prefix)):
            holder, _, weight = own_name.rpartition(".")
            # Attention masks and positions that older versions saved are no weights.
            is_buffer = weight in _BUFFERS or (
                weight == "bias" and holder in modules and not hasattr(modules[holder], "weight")
            )
            if not is_buffer and _pattern(f"{holder}.").startswith(layers):
                names.append(name)
                break
    return names


def _pattern(name: str) -> str:
    """A name with * for its numbers: the same for all layers of one kind."""
    return re.sub(r"\.\d+(?=\.|$)", ".*", name)


def _weights(loaded: LoadedModel) -> list[torch.Tensor]:
    named = dict(loaded.module.named_parameters()) | dict(loaded.module.named_buffers())
    tensors = [named[name] for name in loaded.missing if name in named]
    return [weight for weight in tensors if weight.is_floating_point()]


def _missing(loaded: LoadedModel) -> str:
    # A tower of a CLIP is read by itself, and what people save is the whole.
    kind = re.sub("(Text|Vision)ModelWithProjection$", "Model", type(loaded.module).__name__)
    return (
        f"lacks {_counted(len(loaded.missing))} that its vectors come from: "
        f"{_listed(loaded.missing)}. {_cause(loaded)} What transformers puts in their "
        f"place is random, so nothing is embedded. Give --model a folder in which save_pretrained "
        f"of the {kind} stored all weights."
    )


def _cause(loaded: LoadedModel) -> str:
    """Why weights are missing, as far as unexpected names show it."""
    if not loaded.unexpected:
        return "The files were saved without them, or are not all there."
    for name in loaded.unexpected:
        for missing in loaded.missing:
            prefix = name.removesuffix(missing)
            if prefix and prefix != name:
                return (
                    f"They are there by the names that a training wrapper gives, with {prefix!r} "
                    "before each: save the model inside of the wrapper."
                )
    return (
        f"The files have {_counted(len(loaded.unexpected))} that it has no place for, such as "
        f"{_listed(loaded.unexpected)}: they are of another architecture than config.json says, "
        "or of one that has no vectors for pictures and texts."
    )


def _mismatched(loaded: LoadedModel) -> str:
    name, stored, expected = loaded.mismatched[0]
    more = f" ({len(loaded.mismatched) - 1} more differ)" if len(loaded.mismatched) > 1 else ""
    return (
        f"has {name} with the shape {_shape(stored)}, where its config.json "
        f"says {_shape(expected)}{more}: they are of two models. Take config.json and the weights "
        "from the same folder."
    )


def _other_layers(names: Collection[str]) -> str:
    return (
        f"has {_counted(len(names))} in its files that its layers don't take: {_listed(names)}. "
        "They are of a deeper model, or of other layers, than config.json says: take config.json "
        "and the weights from the same folder."
    )


def _listed(names: Collection[str]) -> str:
    listed = ", ".join(list(names)[:_NAMED])
    return f"{listed} and {len(names) - _NAMED} more" if len(names) > _NAMED else listed


def _counted(count: int) -> str:
    return "1 weight" if count == 1 else f"{count} weights"


def _shape(sizes: Collection[int]) -> str:
    return "x".join(map(str, sizes)) or "of one number"
