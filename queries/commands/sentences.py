"""Results in sentences with their figures, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from indexer.core.label_sets import CATEGORY, set_option

if TYPE_CHECKING:
    from queries.explanation.evidence import Separation
    from queries.teaching.calibrate import CalibrateReport
    from queries.teaching.teach import TeachReport
    from queries.teaching.unknown_figures import UnknownFigures

MEASURES_IN_WORDS: Mapping[str, str] = {
    "acc1": "accuracy (top 1)",
    "acc5": "accuracy (top 5)",
    "mean_per_class_recall": "recall, mean of the classes",
    "macro_f1": "F1, mean of the classes",
    "hierarchical_precision": "precision of whole paths",
    "hierarchical_recall": "recall of whole paths",
    "hierarchical_f1": "F1 of whole paths",
    "acc1_surest_80": "accuracy of the surest 80%",
    "expected_calibration_error": "calibration error",
    "sweep_calibration_error": "calibration error, less biased",
    "set_coverage": "sets that hold the truth",
    "mean_set_size": "labels in a set, mean",
    "auroc_unknown": "AUROC of the unknown score",
    "known_called_unknown": "known called unknown",
    "unknown_called_known": "unknown called known",
}
"""What the terminal calls the measures; ``docs/evaluation.md`` says what each is."""


def of_teaching(report: TeachReport, set_name: str = CATEGORY) -> Iterator[str]:
    """What examples did to the labels."""
    sample = ""
    if report.sampled_from > report.examples:
        sample = f", of {report.sampled_from:,}: a label with very many has a sample"
    yield f"{report.examples:,} examples of {report.labels:,} labels are kept{sample}."
    if report.replaced:
        yield f"They take the place of the {report.replaced:,} that were there."
    before, after = report.zero_shot_log_loss, report.log_loss
    if report.used:
        yield (
            f"They help: on examples that were held out, the log loss falls from {before:.2f} to "
            f"{after:.2f}. The right label's probability rises from about {math.exp(-before):.0%} "
            f"to {math.exp(-after):.0%} (geometric mean)."
        )
        if report.untaught_labels:
            yield (
                f"Active labels without an example: {report.untaught_labels:,}. What this costs "
                "them can't be told from examples of others: on the sets measured, items of such "
                "labels were right less often by 0.4 to 2.3 points. Give examples of them, too."
            )
    elif report.labels == 1:
        yield (
            "Examples of one label alone can't show how labels are told apart: labels decide as "
            "they did. Give examples of other labels, too."
        )
    else:
        yield (
            f"They do not help beyond chance (log loss {before:.2f} without them): labels decide "
            "as they did. Give more examples of each label."
        )
    yield from _of_unknown(report, set_name)


def of_calibration(
    report: CalibrateReport, target: float | None, set_name: str = CATEGORY
) -> Iterator[str]:
    """What labelled items said of the scores."""
    titled = f", {report.titled_items:,} of them with a title" if report.titled_items else ""
    yield (
        f"Scores are calibrated on {report.items:,} labelled items{titled}. The best label of "
        f"{report.accuracy:.1%} of them is right."
    )
    gap = report.mean_score_before - report.accuracy
    were = "too sure" if gap > 0 else "too cautious"
    if abs(gap) < _TELLING_GAP:
        were = "neither too cautious nor too sure"
    yield (
        f"Uncalibrated scores are {were}: {report.mean_score_before:.1%} on the mean. They differ "
        f"from the share that is right by {100 * report.calibration_error_before:.1f} points on "
        "the mean."
    )
    yield from _of_held_out(report, set_name)
    yield from _of_unknown(report, set_name)
    if target is not None:
        yield from _of_target(report, target)


def _of_held_out(report: CalibrateReport, set_name: str) -> Iterator[str]:
    """Whether calibrated scores are probabilities, by items that the fit did not see."""
    measured = report.held_out
    change = measured.log_loss - measured.log_loss_before
    moves = "falls" if change < 0 else "rises"
    yield (
        f"Calibrated scores of held-out items (cross-validation) differ by "
        f"{100 * measured.error:.1f} points. Exact probabilities would, by chance alone, differ by "
        f"{100 * measured.exact_error:.1f} on the mean with so few items, and by more than "
        f"{100 * measured.exact_error_high:.1f} in one case of forty. The log loss of the best "
        f"label {moves} from {measured.log_loss_before:.3f} to {measured.log_loss:.3f}: by "
        f"{abs(change):.3f}, with a standard error of {measured.log_loss_deviation:.3f}."
    )
    option = set_option(set_name)
    if measured.is_worse:
        yield (
            "So these items made the scores worse. Give more of them, or go back to the "
            f"uncalibrated scores with: zeroshelf labels calibrate --forget{option}"
        )
    off = measured.off
    if measured.is_exact and not measured.is_worse:
        yield (
            "So no error beyond chance is found: scores are probabilities as far as "
            f"{report.items:,} items can tell. More items would tell more."
        )
    if measured.is_exact:
        return
    subject = "their error" if measured.error > measured.exact_error_high else "that of some items"
    yield f"Scores are not probabilities yet: {subject} is more than chance."
    if off is not None:
        yield (
            f"Furthest off are the {off.items:,} items {off.name}: a score of "
            f"{off.mean_score:.0%} on the mean, and {off.accuracy:.0%} right."
        )
    yield (
        "More labelled items can help where these were few, and examples of the labels concerned: "
        f"zeroshelf labels teach{option}. --target-precision needs no probabilities: it counts "
        "what is right above a score."
    )


def of_separation(separation: Separation, best: str, second: str) -> Iterator[str]:
    """Why the best label is before the runner-up: the factors of its odds."""
    from queries.explanation.evidence import odds_factor

    yield (
        f"{best} is {odds_factor(separation.log_odds)} times as likely as {second}. Of this comes:"
    )
    for name, log_odds in (
        ("the match with the two names", separation.match),
        ("what the catalog's items say of the two labels", separation.bias),
        ("taught examples", separation.examples),
        ("the title", separation.title),
        ("the other labels below the two", separation.others),
    ):
        if abs(log_odds) >= _TELLING:
            side = "for" if log_odds > 0 else "against"
            yield f"  a factor {odds_factor(log_odds)} {side} {best} from {name}"
    if separation.similarity < 0:
        yield f"By plain cosines {second} would be first."


_TELLING = 0.05
"""Log odds from which a contribution is named: a factor of 1.05."""

_TELLING_GAP = 0.02
"""Difference of the mean score from the share that is right, from which a direction is named."""


def _of_unknown(report: TeachReport | CalibrateReport, set_name: str) -> Iterator[str]:
    """From which unknown score on inputs are unknown, and what this does to the items given."""
    if report.unknown_figures is None:
        if report.unknown_above is not None:
            yield f"Inputs are unknown from an unknown score of {report.unknown_above:.2f} on."
        return
    yield from _of_figures(report.unknown_figures, report.unknown_items, "Inputs", set_name)
    if report.titled_unknown_figures is not None:
        yield from _of_figures(
            report.titled_unknown_figures, report.unknown_items, "Inputs with a title", set_name
        )


def _of_figures(figures: UnknownFigures, items: int, inputs: str, set_name: str) -> Iterator[str]:
    if figures.above is None:
        yield (
            f"{inputs} are never unknown by a threshold: the unknown score hardly separates the "
            f"{items:,} items of no label from the others (AUROC {figures.auroc:.2f}, 0.5 is "
            "chance), and each threshold would call about as many known items unknown as it finds. "
            "More such items may help, or a background vocabulary: zeroshelf labels background"
            f"{set_option(set_name)}."
        )
        return
    yield (
        f"{inputs} are unknown from an unknown score of {figures.above:.2f} on, by {items:,} items "
        f"of no label (AUROC {figures.auroc:.2f}). Of these {figures.unknown_called_known:.0%} are "
        f"taken for known, and of the known items {figures.known_called_unknown:.0%} are called "
        "unknown."
    )


def _of_target(report: CalibrateReport, target: float) -> Iterator[str]:
    """From which score on so many labels are right, or what would reach it."""
    starts = {"": report.min_score}
    if report.titled_items:
        starts[" with a title"] = report.titled_min_score
    for kind, start in starts.items():
        if start is not None:
            yield f"{target:.0%} of the labels{kind} are right from a score of {start:.2f} on."
    if report.coverage is not None:
        yield f"That accepts {report.coverage:.0%} of items like these."
    if report.more_items is not None:
        yield (
            f"A precision of {target:g} takes about {report.more_items:,} labelled items more, if "
            "they are like these: so many are needed to be sure of it."
        )
    elif report.min_score is None:
        yield (
            f"No number of items like these reaches a precision of {target:g}: too few of the "
            "surest labels are right. Ask for less, or teach the labels."
        )
