"""An evaluation as a page: figures, plots, and the surest mistakes with their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from indexer.catalog.fingerprints import PRECOMPUTED
from queries.evaluation import metrics, plots
from queries.evaluation.breakdowns import Group
from queries.evaluation.controls import DescriptionControl
from queries.evaluation.evaluate import Evaluation
from queries.evaluation.mistakes import Mistake
from queries.pages import parts

STYLE = """
.plots { display: grid; align-items: start; gap: .9rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); }
.plot { background: var(--card); border: 1px solid var(--line); border-radius: 12px; margin: 0;
  padding: .9rem 1rem 1rem; min-width: 0; }
.plot h3 { margin: 0 0 .15rem; }
.plot p { margin: 0 0 .6rem; }
.plot svg { display: block; width: 100%; max-width: calc(var(--natural) * 1.35); height: auto;
  margin-inline: auto; }
.plot svg text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif !important; }
.plot .wide { overflow-x: auto; }
.plot .wide svg { min-width: var(--natural); }
table.pairs :is(td, th) { min-width: 0; overflow-wrap: break-word; padding-inline: .5rem; }
table.pairs .number { white-space: nowrap; }
table.pairs td:last-child { width: 38%; min-width: 3em; }
@media (max-width: 560px) { table.pairs td:last-child { width: 20%; } }
.bar { display: block; height: .6em; margin-top: .45em; border-radius: 99px;
  background: var(--bad); opacity: .55; }
.truth { color: var(--bad); }
"""

_SIDE = 220
_SHOWN_CLASSES = 24
_SHOWN_CONFUSED = 10
_FEWEST_PAIRS = 8
_MOST_PAIRS = 15
_SHOWN_GROUPS = 14
_LEAST_ITEMS = 5
_ONE_IN = 20  # groups outside their 95% interval by chance


def evaluation_page(
    found: Evaluation, mistakes: Sequence[Mistake], pictures: parts.Pictures, *, command: str
) -> str:
    """The whole report as one file.

    Args:
        mistakes: the surest first.
        command: what made the page, for its heading.
    """
    sections = [
        _summary(found, command),
        _trust(found),
        _classes(found),
        _control(found.control) if found.control else "",
        _slices(found),
        _mistakes(found, mistakes, pictures),
    ]
    title = f"Evaluation of {found.catalog}"
    return parts.document(title, "\n".join(filter(None, sections)), style=STYLE)


def _summary(found: Evaluation, command: str) -> str:
    low, high = found.interval
    told = [f"{found.items:,} items with a truth in <b>{escape(found.truth)}</b>"]
    if found.unknowns:
        told.append(f"{found.unknowns:,} that are none of the labels")
    if found.unlabelled:
        told.append(f"{found.unlabelled:,} without a truth, left out")
    if found.taught or found.calibrating:
        told.append(
            f"{found.taught + found.calibrating:,} that the catalog has learnt from, left out"
        )
    by = (
        "vectors that came with the items" if found.model == PRECOMPUTED else f"model {found.model}"
    )
    return (
        f"<h1>How right are the labels of {escape(found.catalog)}?</h1>"
        f"<p class='dim'>{'; '.join(told)}. {_in_play(found)}, {escape(by)}. With "
        f"95% confidence between {low:.1%} and {high:.1%} of such items get the right label.</p>"
        + parts.command(command)
        + parts.tiles(_figures(found))
    )


def _in_play(found: Evaluation) -> str:
    if found.labels_certain:
        return f"{found.labels:,} labels in play"
    return (
        f"{found.labels:,} labels or more in play, not those that the catalog has now "
        "(<code>zeroshelf categorize</code> makes the table anew)"
    )


_TOLD = {
    "acc1": "have the right label (acc1)",
    "acc5": "have it among the best five (acc5)",
    "mean_per_class_recall": "mean recall of a class",
    "acc1_surest_80": "right among the surest 80%",
    "hierarchical_precision": "of the given paths are true",
    "hierarchical_recall": "of the true paths are given",
    "expected_calibration_error": "expected calibration error",
    "set_coverage": "of the sets hold the right label",
    "mean_set_size": "labels in a set on the mean",
    "auroc_unknown": "AUROC of the unknown score",
    "known_called_unknown": "of the known items are called unknown",
    "unknown_called_known": "of the unknown items are called known",
}


def _figures(found: Evaluation) -> dict[str, str]:
    plain = {"expected_calibration_error", "mean_set_size", "auroc_unknown"}
    return {
        told: f"{found.measures[name]:.3f}" if name in plain else f"{found.measures[name]:.1%}"
        for name, told in _TOLD.items()
        if not np.isnan(found.measures[name])
        and (found.levels or not name.startswith("hierarchical"))
    }


def _plot(title: str, text: str, svg: str, *, wide: bool = False) -> str:
    """A plot with what it says; a wide one scrolls rather than becoming unreadable."""
    inside = f'<div class="wide">{svg}</div>' if wide else svg
    return (
        f'<figure class="plot"><h3>{escape(title)}</h3>'
        f'<p class="dim small">{escape(text)}</p>{inside}</figure>'
    )


def _trust(found: Evaluation) -> str:
    coverage = [row["coverage"] for row in found.coverage]
    precision = [row["precision"] for row in found.coverage]
    error = found.measures["expected_calibration_error"]
    swept = found.measures["sweep_calibration_error"]
    at_80 = next(row for row in found.coverage if row["coverage"] == 0.8)
    return (
        "<h2>Can the scores be trusted?</h2><div class='plots'>"
        + _plot(
            "Reliability",
            "Of the labels with a score of 60%, 60% should be right: the bars should reach the "
            f"dashed line. On average they miss it by {error:.1%}; by {swept:.1%} with less of "
            "what few items add by chance (Roelofs et al. 2022).",
            plots.reliability_diagram(found.reliability),
        )
        + _plot(
            "Coverage against precision",
            f"Keep the surest 80% (scores from {at_80['min_score']:.2f}) and leave the rest to "
            f"people: {at_80['precision']:.1%} of those kept are right.",
            plots.coverage_curve(coverage, precision),
        )
        + "</div>"
    )


def _classes(found: Evaluation) -> str:
    with_items = [one for one in found.classes if one.items]
    enough = [one for one in with_items if one.items >= _LEAST_ITEMS] or with_items
    worst = sorted(enough, key=lambda one: (one.recall, -one.items))[:_SHOWN_CLASSES]
    which = "All" if len(worst) == len(with_items) else f"The {len(worst)} least found"
    least = f" with {_LEAST_ITEMS} items or more" if len(enough) < len(with_items) else ""
    bars = _plot(
        "Class by class",
        f"{which} of {len(with_items)} classes{least}, and how many items each has.",
        plots.class_bars(worst),
    )
    matrix, pairs = (_matrix(found), _pairs(found)) if found.confusions else ("", "")
    return (
        f"<h2>What is taken for what?</h2><div class='plots'>{matrix}</div>"
        f"<div class='plots'>{bars}{pairs}</div>"
    )


def _matrix(found: Evaluation) -> str:
    """The classes with the most mistakes, and what they were called most often."""
    mistakes: Counter[str] = Counter()
    for one in found.confusions:
        mistakes[one.truth_id] += one.items
    truths = [label_id for label_id, _ in mistakes.most_common(_SHOWN_CONFUSED)]
    columns = _columns(found, truths)
    every = list(dict.fromkeys([*truths, *columns, *found.outcomes.predicted]))
    place = {label_id: row for row, label_id in enumerate(every)}
    known = found.outcomes.take(np.isin(found.outcomes.truths.astype(str), truths))
    counts = metrics.confusion_counts(
        np.array([place[one] for one in known.truths]),
        np.array([place[one] for one in known.predicted]),
        size=len(every),
    )
    rows = counts[[place[one] for one in truths]]
    shown = rows[:, [place[one] for one in columns]]
    rest = rows.sum(axis=1, keepdims=True) - shown.sum(axis=1, keepdims=True)
    if rest.any():
        shown = np.hstack([shown, rest])
    svg = plots.confusion_matrix(
        shown,
        [found.names[one] for one in truths],
        [
            *(found.names.get(one) or "nothing" for one in columns),
            *(["others"] if rest.any() else []),
        ],
    )
    return _plot(
        "Confusion matrix of the most confused",
        "A row is what the items are, a column what they were called; blue is right, red is wrong, "
        "stronger where it is a larger share of the row.",
        svg,
        wide=True,
    )


def _columns(found: Evaluation, truths: Sequence[str]) -> list[str]:
    """For each of the classes itself, where it was ever given, and what it is called most."""
    given = set(found.outcomes.predicted)
    columns: dict[str, None] = {}
    for truth in truths:
        called = [one.predicted_id for one in found.confusions if one.truth_id == truth]
        columns |= dict.fromkeys([*([truth] if truth in given else []), called[0]])
    return list(columns)


def _pairs(found: Evaluation) -> str:
    classes = sum(one.items > 0 for one in found.classes)
    top = found.confusions[: min(max(classes, _FEWEST_PAIRS), _MOST_PAIRS)]
    rows = "".join(
        f"<tr><td>{escape(found.names[one.truth_id])}</td>"
        f"<td>{escape(found.names.get(one.predicted_id) or 'nothing')}</td>"
        f"<td class='number'>{one.items:,}</td>"
        f"<td><span class='bar' style='width: {one.items / top[0].items:.0%}'></span></td></tr>"
        for one in top
    )
    total = sum(one.items for one in found.confusions)
    share = sum(one.items for one in top) / total
    return (
        "<figure class='plot'><h3>Most frequent confusions</h3>"
        f"<p class='dim small'>These {len(top)} of {len(found.confusions):,} pairs are {share:.0%} "
        f"of the {total:,} mistakes.</p><div class='scroll'><table class='pairs'><thead><tr>"
        "<th>is</th><th>was called</th><th class='number'>items</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div></figure>"
    )


def _control(control: DescriptionControl) -> str:
    arms = {
        "descriptions": control.descriptions,
        "random words": control.random_words,
        "names only": control.names,
    }
    groups = []
    for name, share in arms.items():
        low, high = metrics.wilson_interval(share * control.items, control.items)
        groups.append(Group(name=name, items=control.items, acc1=share, low=low, high=high))
    return (
        f"<h2>Do the descriptions help?</h2><p>{escape(control.verdict)} Right labels gained over "
        f"random words of the same length: <b class='number'>{control.gain:+.1%}</b> (95% interval "
        f"{control.low:+.1%} to {control.high:+.1%}); over names alone: <b class='number'>"
        f"{control.names_gain:+.1%}</b> ({control.names_low:+.1%} to {control.names_high:+.1%})."
        "</p><div class='plots'>"
        + _plot(
            "Descriptions against random words",
            f"{control.described:,} labels have a description. Random words: mean of "
            f"{control.draws} draws (Roth et al. 2023). Without titles and taught examples.",
            plots.group_intervals(groups, control.random_words),
        )
        + "</div>"
    )


def _slices(found: Evaluation) -> str:
    overall = found.measures["acc1"]
    blocks = []
    if found.levels:
        levels = "Paths cut at a level of the taxonomy; 1 is the top. Items whose truth is as deep."
        blocks.append(_plot("By level", levels, plots.group_intervals(found.levels, overall)))
    for name, groups in found.slices.items():
        blocks.append(
            _plot(
                f"By {name}",
                _unevenness(groups, overall),
                plots.group_intervals(groups[:_SHOWN_GROUPS], overall),
            )
        )
    if not blocks:
        return ""
    return (
        "<h2>Is it as right for all?</h2><p>Share of right labels by group, with its 95% interval "
        "and the number of items; the dashed line is all items.</p>"
        f"<div class='plots'>{''.join(blocks)}</div>"
    )


def _unevenness(groups: Sequence[Group], overall: float) -> str:
    """In words, which groups differ by more than chance."""
    worse = [one.name for one in groups if one.high < overall]
    better = [one.name for one in groups if one.low > overall]
    told = []
    if worse:
        told.append(f"Worse than all items by more than chance: {_some(worse)}.")
    if better:
        told.append(f"Better: {_some(better)}.")
    if told and len(groups) >= 2 * _ONE_IN:
        told.append(f"Chance alone sets about {len(groups) / _ONE_IN:.0f} of so many apart.")
    if len(groups) > _SHOWN_GROUPS:
        told.append(f"Shown are the {_SHOWN_GROUPS} largest of {len(groups):,} groups.")
    return " ".join(told) or "No group differs from all items by more than chance."


def _percent(score: float) -> str:
    """Never 100% of what is less."""
    return ">99%" if 0.995 <= score < 1 else f"{score:.0%}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if names[4:] else ""
    return ", ".join(names[:4]) + more


def _mistakes(found: Evaluation, mistakes: Sequence[Mistake], pictures: parts.Pictures) -> str:
    if not mistakes:
        return "<h2>The surest mistakes</h2><p>There are none: every label is right.</p>"
    cards = []
    for one in mistakes:
        given = found.names.get(one.predicted_id) or "nothing"
        lines = [
            f"<div class='name'>{escape(given)} "
            f"<span class='dim number'>{_percent(one.score)}</span></div>",
            f"<div class='small truth'>is: {escape(found.names[one.truth_id])}</div>",
            f"<div class='dim small'>{escape(one.title or one.item_id)}</div>",
        ]
        tag = pictures.tag(one.source, one.title or one.item_id, side=_SIDE) if one.source else ""
        cards.append(parts.card(tag, lines))
    return (
        "<h2>The surest mistakes</h2><p>Wrong labels with the highest scores, a few of each kind: "
        "here the truth may be wrong, two labels may mean the same, or a prompt may mislead.</p>"
        + parts.grid(cards, width=150)
    )
