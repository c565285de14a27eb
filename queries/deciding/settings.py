"""The user's settings of decisions."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.core.errors import UsageError
from indexer.core.given_values import refuse_beyond

TEXT_WEIGHT = 0.4
"""Share of titles where none is asked for: the best mean top-1 in steps of 0.1 on the sample
shop, half of whose titles name the product, by two models, with and without adaptation; and
the best mean of the shop and fashion, each by such means. Fashion alone would have chosen
0.3. ``benchmarks.quality`` reports each of the two at the weight that the other chooses; 0.4
is better than pictures alone in each of eight cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The user's settings of decisions.

    Attributes:
        level: of the taxonomy, 1 is the top; None decides among the active labels.
        back_off: go up the taxonomy until a node is so probable; None stays.
        min_score: accept from this score on; None: see ``queries.deciding.decide``.
        target_precision: pick the score to accept from so that so many are right.
        multi_label: labels do not exclude each other.
        coverage: give each item the labels that hold the truth with this probability.
        text_weight: share of the title where an input has one; None is the default share,
            and none where labels are scored each on its own.
    """

    level: int | None = None
    back_off: float | None = None
    min_score: float | None = None
    target_precision: float | None = None
    multi_label: bool = False
    coverage: float | None = None
    text_weight: float | None = None

    def check(self) -> None:
        """Refuse options that exclude each other, and numbers out of their range.

        Raises:
            UsageError: says which.
        """
        shares = {"back_off": self.back_off, "min_score": self.min_score}
        refuse_beyond(0, 1, **shares, text_weight=self.text_weight)
        refuse_beyond(0.5, 0.999, target_precision=self.target_precision, coverage=self.coverage)
        refuse_beyond(1, 100, level=self.level)
        if self.min_score is not None and self.target_precision is not None:
            raise UsageError("give either --min-score or --target-precision, not both.")
        tree = self.level is not None or self.back_off is not None
        if self.multi_label and (tree or self.target_precision is not None):
            raise UsageError(
                "--multi-label scores each label on its own: --level, --back-off and "
                "--target-precision speak of labels that share one probability. Leave them out, "
                "or accept by --min-score."
            )
        if self.coverage is not None and (tree or self.multi_label):
            raise UsageError(
                "--coverage gives sets of the active labels, which exclude each other: leave out "
                "--level, --back-off and --multi-label."
            )
        if self.multi_label and self.text_weight:
            raise UsageError(
                "--text-weight blends scores that share one probability, and --multi-label scores "
                "each label on its own. Leave one of them out."
            )

    @property
    def title_share(self) -> float:
        """The share of a title, 0 to 1."""
        if self.text_weight is not None:
            return self.text_weight
        return 0.0 if self.multi_label else TEXT_WEIGHT
