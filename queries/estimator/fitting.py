"""What the estimator fits: labels by names, by examples, and the share of titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.protocols import Encoder
from indexer.core.records import FloatArray, IndexArray, Label
from indexer.jobs.adapt import fit_to
from indexer.labels.few_shot import FewShot, StrengthChoice, frequencies_of
from indexer.labels.head import Head, adapted, plain
from indexer.labels.prompts import default_templates
from indexer.labels.sets import LabelSet, embed, empty
from indexer.labels.strengths import choose_strengths
from queries.deciding.fusion import Fusion, fit_fusion, measure_fusion, title_blend
from queries.deciding.scorer import Scorer
from queries.deciding.scorer_fit import zero_shot_scorer

_ALONE = StrengthChoice(
    discriminant_strength=1.0,
    cache_strength=0.0,
    kernel_strength=0.0,
    temperature=1.0,
    zero_shot_log_loss=0.0,
    log_loss=0.0,
    confidences=(),
    right=(),
)
"""For examples without label names: they are used even where cross-validation gains nothing."""


@dataclass(frozen=True, kw_only=True)
class Fitter:
    """Fits scorers with a model, and beside a catalog's items where one is given.

    Attributes:
        encoder: embeds names of labels; None where there are vectors only.
        catalog: its items adapt the labels, and its pairs weigh titles; None without one.
        templates: prompt templates; None takes those that suit the model.
        adapt: fit labels to the items of the catalog.
        title_share: share of the title in the scores of what has one, 0 to 1.
        seed: of the folds in which examples are held out.
    """

    encoder: Encoder | None
    catalog: CatalogOptions | None
    templates: Sequence[str] | None
    adapt: bool
    title_share: float
    seed: int

    def head(self, labels: Sequence[Any]) -> Head:
        """Labels by their names, adapted to the catalog's items where there are enough."""
        encoder = self.encoder
        if encoder is None:
            raise UsageError(
                "label names need a model that embeds them: ZeroShotClassifier('pocket'), a "
                "folder, a hub name, or CatalogOptions of a catalog."
            )
        fingerprint = encoder.fingerprint
        templates = self.templates or default_templates(fingerprint.content_kind)
        label_set, _, _ = embed(
            empty(fingerprint.width),
            list(map(_label, labels)),
            templates=templates,
            embed_texts=encoder.embed_texts,
        )
        if self.adapt and self.catalog is not None:
            with open_catalog(self.catalog) as catalog:
                adaptation = fit_to(catalog, label_set)
            if adaptation is not None:
                return adapted(label_set, adaptation)
        return plain(label_set, fingerprint.logit_scale)

    def fusion(
        self,
        scorer: Scorer,
        vectors: FloatArray | None = None,
        titles: FloatArray | None = None,
    ) -> Fusion | None:
        """By the catalog's pairs of pictures and titles; else by the examples' own."""
        if self.catalog is not None:
            with open_catalog(self.catalog) as catalog:
                fusion = fit_fusion(catalog, scorer, self.title_share)
            if fusion is not None:
                return fusion
        if vectors is None or titles is None:
            return None
        has = titles.any(axis=1)
        alone = titles_alone(scorer)
        return measure_fusion(scorer, alone, vectors[has], titles[has], self.title_share)

    def fit_examples(
        self,
        classes: npt.NDArray[Any],
        vectors: FloatArray,
        titles: FloatArray | None,
        truth: IndexArray,
    ) -> tuple[Scorer, Fusion | None]:
        """Examples beside the names; examples alone where names can't be embedded."""
        named = self.encoder is not None and are_names(classes)
        if titles is not None and not named:
            raise UsageError(
                f"titles are compared with names of labels, and y is {classes.dtype}: give "
                "names as y, or leave titles out with text_weight=0."
            )
        if named:
            head = self.head(list(classes))
            zero_shot = zero_shot_scorer(head, lambda: vectors)
        else:
            head = plain(_neutral_labels(len(classes), vectors.shape[1]), 1.0)
            zero_shot = Scorer(head=head, unit=1.0, temperature=1.0)
        queries, scores = head.queries(vectors)[:, :-1], zero_shot.scores(vectors)
        frequencies = frequencies_of(scores, zero_shot.temperature)
        fusion = self.fusion(zero_shot, vectors, titles) if named else None
        choice = choose_strengths(
            queries,
            scores,
            truth,
            frequencies,
            zero_shot.temperature,
            decided=None
            if fusion is None or titles is None
            else title_blend(fusion, titles, self.title_share),
            seed=self.seed,
        )
        if not choice.helps:
            if named:
                return zero_shot, fusion
            choice = _ALONE
        scorer = Scorer(
            head=head,
            unit=zero_shot.unit,
            temperature=choice.temperature,
            few_shot=FewShot.of(queries, scores, truth, choice, zero_shot.temperature),
            calibrated=True,
        )
        return scorer, self.fusion(scorer, vectors, titles) if named else None


def load_encoder(source: CatalogOptions | Encoder | str | Path | None) -> Encoder | None:
    """The model of a catalog, or by its name; None for given vectors.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(source, CatalogOptions):
        model = source.model or source.folder.fingerprint().model
        if model == PRECOMPUTED:
            return None
        with open_catalog(source) as catalog:
            return catalog.encoder
    if isinstance(source, str | Path):
        from indexer.encoder import SentenceTransformerEncoder

        return SentenceTransformerEncoder(str(source))
    if source is not None and not hasattr(source, "embed_texts"):
        raise UsageError(
            f"catalog_or_model is {source!r:.60}: give the name or folder of a model, an encoder, "
            "or the options of a catalog, such as Catalog('shop').options."
        )
    return source


def titles_alone(scorer: Scorer) -> Scorer:
    """By plain labels: what they were adapted to are pictures, and titles may be few."""
    return Scorer(head=plain(scorer.head.labels, 1.0), unit=1.0, temperature=1.0)


def are_names(classes: npt.NDArray[Any]) -> bool:
    """Whether classes are texts, which a model can embed."""
    return classes.dtype.kind in "USO"


def _label(value: Any) -> Label:
    if isinstance(value, Label):
        return value
    name = str(value)
    return Label(label_id=name, name=name, path=(name,))


def _neutral_labels(count: int, width: int) -> LabelSet:
    """Labels with zero vectors: every input is equally near to all of them."""
    labels = tuple(_label(place) for place in range(count))
    vectors = np.zeros((count, width), dtype=np.float32)
    return LabelSet(labels, tuple(label.name for label in labels), vectors)
