"""Zero-shot and few-shot labelling behind scikit-learn's conventions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import UsageError
from indexer.core.given_values import is_missing
from indexer.core.protocols import Encoder
from indexer.core.records import DoubleArray, FloatArray, Label
from indexer.core.vectors import normalise
from queries.deciding.fusion import measure_fusion
from queries.deciding.prediction_sets import fewest_items, set_rule, set_sizes
from queries.deciding.scorer import Scorer
from queries.deciding.settings import TEXT_WEIGHT
from queries.estimator import inputs as reading
from queries.estimator.fitting import Fitter, are_names, load_encoder, titles_alone


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # has no types
    """Labels pictures, texts or vectors by the names of the labels, by examples, or by both.

    ``fit(labels)`` needs names only. ``fit(X, y)`` learns from examples, as far as
    cross-validation says that they help; the names in ``y`` count too where there is a
    model. Inputs ``X`` are paths, URLs, encoded pictures (bytes), pictures of Pillow, uint8 arrays
    (height, width, 3), texts, or vectors (n, d), which are scaled to length 1, as a list or a
    column of a data frame; or a table (a data frame, an
    Arrow table, a mapping of columns) with a column of pictures and, if there is one, of
    titles. A title counts as in ``queries.deciding.fusion``, weighed by the pairs of the
    catalog, or those of ``fit(X, y)``; without any by the input's own scores.

    A fitted classifier can be pickled. Its model goes along by name, and is loaded again when
    something is to be embedded; vectors need none.

    Args:
        catalog_or_model: ``CatalogOptions`` of a catalog: its model, and its items to adapt
            labels to; a model's name or folder; an encoder; None for vectors only.
        templates: prompt templates; None takes those that suit the model.
        adapt: fit labels to the items of the catalog, if one is given.
        input_kind: picture, text or vector; auto looks at what is given.
        image_column: of a table, its pictures.
        text_column: of a table, what is said of them; an empty text, None or NaN is no title.
        text_weight: share of the title in the scores of what has one, 0 to 1; None is the
            default share.
        random_state: seed of the folds in which examples are held out.

    Attributes:
        classes_: names or values of the labels, sorted; (k,).
        n_features_in_: width d of the vectors.
        scorer_: what scores.
        encoder_: the model; None where there is none.
        fusion_: what titles add; None where there is nothing to weigh them by.
        calibrating_shares_: float64 (m, k), probabilities of the items of ``conformalize``.
        calibrating_truth_: int64 (m,), the columns of their labels.
    """

    def __init__(
        self,
        catalog_or_model: CatalogOptions | Encoder | str | Path | None = None,
        *,
        templates: Sequence[str] | None = None,
        adapt: bool = True,
        input_kind: str = "auto",
        image_column: str = "image",
        text_column: str = "title",
        text_weight: float | None = None,
        random_state: int = 0,
    ) -> None:
        self.catalog_or_model = catalog_or_model
        self.templates = templates
        self.adapt = adapt
        self.input_kind = input_kind
        self.image_column = image_column
        self.text_column = text_column
        self.text_weight = text_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Take labels, or learn from examples.

        Args:
            X: names or ``Label`` objects where ``y`` is None; else n examples.
            y: the labels of the examples, (n,).

        Raises:
            UsageError: no labels, names without a model to embed them, titles beside ``y``
                that is no names, or a ``text_weight`` beyond 0 to 1.
            ValueError: what scikit-learn refuses: other lengths, numbers that are not finite.
        """
        if self.input_kind not in reading.KINDS:
            raise UsageError(f"input_kind {self.input_kind!r}: one of {', '.join(reading.KINDS)}.")
        if not 0 <= self._weight <= 1:
            raise UsageError(f"text_weight {self.text_weight!r}: give a share from 0 to 1.")
        X = reading.listed(X)  # noqa: N806
        if y is None and reading.are_vectors(X, "auto") and not _holds_labels(X):
            raise ValueError(
                "This ZeroShotClassifier estimator requires y to be passed, but the target y is "
                "None: without y, X is a list of label names."
            )
        self.encoder_ = load_encoder(self.catalog_or_model)
        for name in ("calibrating_shares_", "calibrating_truth_"):
            self.__dict__.pop(name, None)  # of other labels
        if y is None:
            names = reading.names_of(list(X))
            labels = dict(zip(names, X, strict=True))
            self.classes_ = np.array(sorted(names))
            fitter = self._fitter
            head = fitter.head([labels[name] for name in self.classes_])
            self.n_features_in_ = head.labels.vectors.shape[1]
            self.scorer_ = Scorer(head=head, unit=1.0, temperature=1.0)
            self.fusion_ = fitter.fusion(self.scorer_)
            return self
        (vectors, titles), y = self._vectors(X, reset=True), _check_targets(y)
        check_consistent_length(vectors, y)
        self.classes_, truth = np.unique(y, return_inverse=True)
        self.scorer_, self.fusion_ = self._fitter.fit_examples(
            self.classes_, vectors, titles, truth.astype(np.int64)
        )
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the model, which is loaded again by its name when it is needed."""
        state = dict(super().__getstate__())
        source: Any = self.catalog_or_model
        if type(source).__module__.startswith("indexer.encoder"):
            state["catalog_or_model"] = source.name
        if "encoder_" in state and isinstance(
            state["catalog_or_model"], str | Path | CatalogOptions
        ):
            state |= {"encoder_": None, "_reloads": self.encoder_ is not None}
        return state

    def _encoder(self) -> Encoder | None:
        """The model; after unpickling loaded when it is first asked for."""
        if self.encoder_ is None and getattr(self, "_reloads", False):
            self.encoder_ = load_encoder(self.catalog_or_model)
            self._reloads = False
        return self.encoder_

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The best label of each input, (n,)."""
        scores = self._scores(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def predict_proba(self, X: Any) -> DoubleArray:  # noqa: N803
        """float64 (n, k), columns in the order of ``classes_``; rows sum to 1."""
        scores = self._scores(X)
        return self.scorer_.probabilities(scores)

    def conformalize(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Keep labelled items, by which ``predict_set`` makes its sets.

        They must not be those of ``fit``: on these the labels are surer than on others.

        Args:
            X: n items, in any form that ``predict`` takes.
            y: their labels, (n,), each one of ``classes_``.

        Raises:
            UsageError: a label is none of ``classes_``.
        """
        shares, y = self.predict_proba(X), _check_targets(y)
        check_consistent_length(shares, y)
        foreign = sorted({str(label) for label in y[~np.isin(y, self.classes_)]})
        if foreign:
            raise UsageError(
                f"{foreign[0]!r} is no label of this classifier ({len(foreign)} such values in y): "
                "leave such items out, or fit with these labels."
            )
        self.calibrating_shares_ = shares
        self.calibrating_truth_ = np.searchsorted(self.classes_, y)
        return self

    def predict_set(self, X: Any, *, coverage: float = 0.95) -> list[npt.NDArray[Any]]:  # noqa: N803
        """The labels that hold the truth of each input with a probability.

        Split conformal prediction; see ``queries.deciding.prediction_sets``.

        Args:
            coverage: that probability, above 0 and below 1, on the mean over draws of the items
                given to ``conformalize``.

        Returns:
            n arrays of labels, the likeliest first, one label at least in each.

        Raises:
            NotFittedError: ``conformalize`` was not called.
            UsageError: a coverage beyond 0 to 1, or one that takes more items.
        """
        check_is_fitted(
            self,
            "calibrating_shares_",
            msg="predict_set needs labelled items: give some to conformalize(X, y) first.",
        )
        if not 0 < coverage < 1:
            raise UsageError(f"coverage {coverage!r}: give a probability above 0 and below 1.")
        count, fewest = len(self.calibrating_truth_), fewest_items(coverage)
        if count < fewest:
            raise UsageError(
                f"coverage {coverage:g} takes {fewest} labelled items at least: conformalize was "
                f"given {count}. Give more, or ask for less."
            )
        rule = set_rule(self.calibrating_shares_, self.calibrating_truth_, coverage)
        shares = self.predict_proba(X)
        order = np.argsort(-shares, axis=1, kind="stable")
        sizes = set_sizes(shares, rule).tolist()
        return [self.classes_[row[:size]] for row, size in zip(order, sizes, strict=True)]

    def _scores(self, inputs: Any) -> DoubleArray:
        check_is_fitted(self)
        vectors, titles = self._vectors(inputs, reset=False)
        scores = self.scorer_.scores(vectors)
        if titles is None:
            return scores
        if self.fusion_ is not None:
            return self.fusion_.blend(scores, titles)
        if not are_names(self.classes_):
            raise UsageError(
                f"titles are compared with names of labels, and the classes are "
                f"{self.classes_.dtype}: leave titles out with text_weight=0."
            )
        return self._blend_each(scores, vectors, titles)

    def _blend_each(
        self, scores: DoubleArray, vectors: FloatArray, titles: FloatArray
    ) -> DoubleArray:
        """Weigh each title by the input's own scores, where no items tell how far scores spread.

        A prediction does not depend on the other inputs then.
        """
        alone, blended = titles_alone(self.scorer_), scores.copy()
        for row in np.flatnonzero(titles.any(axis=1)):
            single_row = slice(row, row + 1)
            fusion = measure_fusion(
                self.scorer_, alone, vectors[single_row], titles[single_row], self._weight
            )
            blended[single_row] = fusion.blend(scores[single_row], titles[single_row])
        return blended

    def _vectors(self, inputs: Any, *, reset: bool) -> tuple[FloatArray, FloatArray | None]:
        """Vectors (n, d), and those of titles, zeros where there is none; None without any."""
        inputs, titles = reading.columns_of(
            reading.listed(inputs), self.image_column, self.text_column
        )
        vectors = self._embedded(inputs, reset=reset)
        if not self._weight or not any(titles):
            return vectors, None
        encoder = self._encoder()
        if encoder is None:
            raise UsageError("titles need a model that embeds them.")
        return vectors, reading.embed_titles(titles, encoder)

    def _embedded(self, inputs: Any, *, reset: bool) -> FloatArray:
        if reading.are_vectors(inputs, self.input_kind):
            block = validate_data(self, inputs, dtype=np.float64, reset=reset)
            _warn_of_zero_rows(block)
            return normalise(block)
        encoder = self._encoder()
        if encoder is None:
            raise UsageError(
                "pictures and texts need a model: ZeroShotClassifier('pocket'), a folder, a hub "
                "name, or CatalogOptions of a catalog."
            )
        vectors = reading.embed(inputs, encoder, self.input_kind)
        if reset:
            self.n_features_in_ = vectors.shape[1]
        return vectors

    @property
    def _weight(self) -> float:
        return TEXT_WEIGHT if self.text_weight is None else self.text_weight

    @property
    def _fitter(self) -> Fitter:
        source = self.catalog_or_model
        return Fitter(
            encoder=self.encoder_,
            catalog=source if isinstance(source, CatalogOptions) else None,
            templates=self.templates,
            adapt=self.adapt,
            title_share=self._weight,
            seed=self.random_state,
        )


def _holds_labels(labels: Any) -> bool:
    return isinstance(labels, list | tuple) and all(isinstance(label, Label) for label in labels)


def _warn_of_zero_rows(vectors: DoubleArray) -> None:
    """Tell of vectors (n, d) without a direction; scikit-learn's conventions don't refuse them."""
    zero_rows = np.flatnonzero(~vectors.any(axis=1))
    if len(zero_rows):
        warnings.warn(
            f"{len(zero_rows)} of {len(vectors)} vectors are zeros only, the first at place "
            f"{zero_rows[0]}: no label is nearer to them than another, so their labels mean "
            "nothing. Leave these items out.",
            stacklevel=2,
        )


def _check_targets(y: Any) -> npt.NDArray[Any]:
    y = reading.listed(y, "y")
    entries = y if isinstance(y, list | tuple | np.ndarray) else ()
    missing = [place for place, value in enumerate(entries) if is_missing(value)]
    if missing:
        raise ValueError(
            f"Input y contains NaN or None: {len(missing)} of {len(y)}, the first at place "
            f"{missing[0]}. Leave these items out."
        )
    flat = column_or_1d(y, warn=True)
    check_classification_targets(flat)
    return np.asarray(flat)
