"""Zero-shot object detectors of transformers: the boxes of what some words name in a picture.

OWL-ViT, OWLv2 (Minderer et al. 2023, "Scaling Open-Vocabulary Object Detection", arXiv:2306.09683)
and Grounding DINO (Liu et al. 2023, arXiv:2303.05499). The pipeline ``zero-shot-object-detection``
runs the whole model once a word; here all words go through it at once, with the same boxes.
OmDet-Turbo is not among them: transformers suppresses its boxes by torchvision.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.core.boxes import SMALLEST_SIDE, FoundObject, suppress
from indexer.core.errors import ItemError, ModelError, ModelUsageError, UsageError, first_line
from indexer.core.hashing import canonical_json, sha256
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.encoder.loading import (
    commit_of,
    loading_errors,
    name_of,
    quiet,
    require_on_hub,
    resolve_device,
    snapshot_of,
)
from indexer.encoder.weights import loading_report

_OWL, _DINO = ("owlvit", "owlv2"), ("grounding-dino", "mm-grounding-dino")
FAMILIES = (*_OWL, *_DINO)
"""Values of ``model_type`` in the config.json of models that are detectors here."""

_THRESHOLDS = {"owlvit": 0.1, "owlv2": 0.1, "grounding-dino": 0.25, "mm-grounding-dino": 0.25}
"""Scores from which transformers' own processors keep a box."""

MAX_IOU = 0.5
"""Boxes that overlap a better one by more are the same thing, whatever word found them."""


class Detector:
    """Finds objects by a model; ``indexer.core.boxes.ObjectFinder``.

    Args:
        model: a folder, or a name on the hub.
        words: what to look for: coarse words, such as bag or shoe.
        device: as of the encoder.
        threshold: score from which a box is kept; None is what transformers takes for the family.
        most: boxes of a picture that are kept, the best.

    Attributes:
        words: each once.

    Raises:
        ModelError: not at hand, does not load, or is no detector.
        UsageError: no words, or longer ones than the model reads.
    """

    def __init__(
        self,
        model: str,
        words: Sequence[str],
        *,
        device: str | None = None,
        threshold: float | None = None,
        most: int = 20,
    ) -> None:
        self.name = name_of(model)
        self.words = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if not self.words:
            raise UsageError(
                f"detector {model!r} finds what words name, and there are none: give some with "
                "--object-words 'bag,shoe,lamp', or add labels."
            )
        self._device = resolve_device(device)
        self._family, self._processor, self._model, commit = _detector_of(model, self._device)
        self._threshold = _THRESHOLDS[self._family] if threshold is None else threshold
        self._most = most
        self._require_short()
        settings = [self.name, commit, list(self.words), self._threshold, most]
        self.recipe = f"detector {sha256(canonical_json(settings).encode())[:16]}"

    def find(self, picture: Pixels) -> list[FoundObject]:
        """The boxes that no better one suppresses, the best first.

        Args:
            picture: uint8 (height, width, 3). In one smaller than a box there is nothing.

        Raises:
            ItemError: the model can't take a picture of such sides.
        """
        height, width = picture.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            return []
        try:
            detected = self.detect(picture)
        except (ValueError, IndexError, ArithmeticError) as error:
            message = f"detector {self.name!r} can't take a picture of {width}x{height} pixels"
            raise ItemError(Reason.NOT_EMBEDDED, f"{message}: {first_line(error)}") from error
        inside = [
            FoundObject(box=_rounded(corners, width, height), score=score, word=word)
            for corners, score, word in detected
        ]
        usable = [detected for detected in inside if min(detected.box[2:]) >= SMALLEST_SIDE]
        if not usable:
            return []
        boxes = np.array([detected.box for detected in usable], dtype=np.int64)
        scores = np.array([detected.score for detected in usable])
        return [usable[row] for row in suppress(boxes, scores, max_iou=MAX_IOU)[: self._most]]

    def detect(self, picture: Pixels) -> list[tuple[tuple[float, ...], float, str]]:
        """What the model says: left, upper, right and lower edge, score and word of each box.

        Edges are in pixels, and may lie beyond the picture. A box that several words find has
        the best one's score.
        """
        import torch
        from PIL import Image

        image = Image.fromarray(picture)
        words = [list(self.words)]
        inputs = self._processor(images=image, text=words, return_tensors="pt").to(self._device)
        with torch.inference_mode(), quiet():
            outputs = self._model(**inputs)
        options: dict[str, Any] = {
            "threshold": self._threshold,
            "target_sizes": torch.tensor([[image.height, image.width]]),
        }
        if self._family in _OWL:
            options["text_labels"] = words
        else:  # its words are found again among its tokens
            options |= {"input_ids": inputs["input_ids"], "text_threshold": self._threshold}
        detections = self._processor.post_process_grounded_object_detection(outputs, **options)[0]
        rows = zip(
            detections["boxes"], detections["scores"], detections["text_labels"], strict=True
        )
        return [(tuple(box.tolist()), float(score), word) for box, score, word in rows]

    def _require_short(self) -> None:
        """Refuse words that the model would cut off, or fail on."""
        config = self._model.config
        tokenizer = self._processor.tokenizer
        if self._family in _OWL:
            limit = config.text_config.max_position_embeddings
            lengths = {word: len(tokenizer(word)["input_ids"]) for word in self.words}
            word = max(lengths, key=lambda name: lengths[name])
            if lengths[word] > limit:
                raise UsageError(
                    f"--object-words {word!r} is {lengths[word]} tokens, and detector "
                    f"{self.name!r} reads {limit}: shorten it."
                )
            return
        count = len(tokenizer(". ".join(self.words) + ".")["input_ids"])
        if count > config.max_text_len:
            raise UsageError(
                f"--object-words are {count} tokens together, and detector {self.name!r} reads "
                f"{config.max_text_len}: give fewer or shorter ones."
            )


def require_detector(model: str, device: str | None = None) -> None:
    """Load a detector, which then stays loaded.

    Raises:
        ModelError: not at hand, does not load, or is no detector.
    """
    _detector_of(model, resolve_device(device))


def _rounded(corners: tuple[float, ...], width: int, height: int) -> tuple[int, int, int, int]:
    """The box of some corners, cut off at the edges of the picture."""
    left, top, right, bottom = (round(value) for value in corners)
    left, right = (min(max(value, 0), width) for value in (left, right))
    top, bottom = (min(max(value, 0), height) for value in (top, bottom))
    return left, top, right - left, bottom - top


def _detector_of(model: str, device: str) -> tuple[str, Any, Any, str]:
    """A detector's family, processor, model and commit.

    Raises:
        ModelError: names --detector, cause and remedy.
    """
    try:
        commit = commit_of(model)
        return (*_loaded(model, commit, device), commit)
    except ModelError as error:
        message = str(error)
        if "--detector" not in message:
            message, packaged, _ = message.partition("; '--model pocket'")  # which is no detector
            message = f"--detector: {message.replace('--model', '--detector')}"
            message += ". Without one, a grid of regions finds things" if packaged else ""
        raise type(error)(message) from error


@functools.lru_cache(maxsize=1)  # a service makes a Detector a request, with other limits
def _loaded(model: str, commit: str, device: str) -> tuple[str, Any, Any]:
    """A detector's family, its processor and its model.

    Args:
        commit: of its files: others are loaded anew.

    Raises:
        ModelError: names model, cause and remedy.
    """
    del commit
    folder = snapshot_of(model)
    if folder is None:
        require_on_hub(model, None)
    place, local = str(folder or model), folder is not None
    with quiet(), loading_errors(place), loading_report() as report:
        from transformers import (
            AutoConfig,
            AutoModelForZeroShotObjectDetection,
            AutoProcessor,
        )

        family = _family(model, AutoConfig.from_pretrained(place, local_files_only=local))
        processor = AutoProcessor.from_pretrained(place, local_files_only=local)
        detector = AutoModelForZeroShotObjectDetection.from_pretrained(
            place, local_files_only=local
        )
    report.require_complete(model)
    return family, processor, detector.to(device).eval()


def _family(model: str, config: Any) -> str:
    family = str(config.model_type)
    if family not in FAMILIES:
        raise ModelUsageError(
            f"model {model!r} is of the family {family!r}, which gives no boxes for words: "
            f"--detector takes {', '.join(FAMILIES)}. Leave it out for a grid of regions, which "
            "the catalog's own model looks at."
        )
    return family
