"""An explanation as a page: contributions, heat maps, and the nearest items."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.core.boxes import Box, cut
from indexer.core.protocols import Pixels
from indexer.core.records import DoubleArray
from indexer.sources.decoding import thumbnail
from queries.explanation.evidence import Separation, odds_factor
from queries.explanation.explanation import Contender, Explanation, Prompt, ViewSays
from queries.explanation.heat_maps import HeatMap
from queries.pages import parts
from queries.pages.overlay import Colour, tinted

_SIDE = 440
_CROP_SIDE = 260
_FOR, _AGAINST = (0, 122, 204), (226, 104, 0)
"""Blue and orange: told apart by people who see few colours, too."""


def explain_page(
    explanation: Explanation, *, pixels: Pixels | None, catalog: str, pictures: parts.Pictures
) -> str:
    """An explanation as one file.

    Args:
        pixels: uint8 (height, width, 3), the picture; None for others.
    """
    winner = explanation.winner.label or "no label"
    in_picture = [
        place for place, view in enumerate(explanation.views) if _is_in(view, explanation)
    ]
    heat = explanation.heat_map
    return parts.render(
        "explain.html",
        title=f"Why {winner}? - zeroshelf",
        pictures=pictures,
        explanation=explanation,
        catalog=catalog,
        first=winner,
        second=explanation.runner_up.label if explanation.runner_up else "",
        boxes=[] if pixels is None else [_box(explanation, place, pixels) for place in in_picture],
        crops=[
            _crop(pixels, view.box) if place in in_picture else ""
            for place, view in enumerate(explanation.views)
        ],
        image="" if pixels is None else parts.data_uri(thumbnail(pixels, side=_SIDE)),
        percent=_percent,
        factor=odds_factor,
        factors=_factors(explanation.separation) if explanation.separation else [],
        maps=[] if heat is None or pixels is None else _maps(heat, pixels),
        cut=heat is not None and _is_cut(heat),
        strongest_word=max((abs(word.evidence) for word in explanation.words), default=0) or 1.0,
        prompts=_prompts(
            [label for label in (explanation.winner, explanation.runner_up) if label is not None]
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBox:
    """A box over a picture, in shares of its sides."""

    number: int
    left: float
    top: float
    width: float
    height: float
    decides: bool


def _is_in(view: ViewSays, explanation: Explanation) -> bool:
    """Whether a part is a box of the picture that is shown, the first one's."""
    return view.box is not None and view.source == explanation.views[0].source


def _box(explanation: Explanation, place: int, pixels: Pixels) -> DrawnBox:
    x, y, across, down = explanation.views[place].box or (0, 0, 0, 0)
    height, width = pixels.shape[:2]
    return DrawnBox(
        number=place,
        left=x / width,
        top=y / height,
        width=across / width,
        height=down / height,
        decides=place == explanation.deciding,
    )


def _crop(pixels: Pixels | None, box: Box | None) -> str:
    """What a box covers, as a data URI; empty where the picture is gone, or is a smaller one."""
    if pixels is None or box is None:
        return ""
    covered = cut(pixels, box)
    return parts.data_uri(thumbnail(covered, side=_CROP_SIDE)) if covered.size else ""


def _factors(parted: Separation) -> list[tuple[str, float]]:
    """The contributions to the log odds of the first label against the second."""
    shares = {
        "the input's match with the two names": parted.match,
        "what the catalog's items say of the two labels": parted.bias,
        "taught examples": parted.examples,
        "the title": parted.title,
        "the other labels below the two": parted.others,
    }
    return [(name, log_odds) for name, log_odds in shares.items() if log_odds != 0]


def _maps(heat: HeatMap, pixels: Pixels) -> list[tuple[str, str]]:
    """Name and data URI of each heat map."""
    region = heat.region
    box = (region.top, region.left, region.bottom, region.right)
    layers = {"winner": [(heat.winner, _FOR)]}
    if heat.runner_up is not None:
        layers["runner-up"] = [(heat.runner_up, _AGAINST)]
    if heat.rather is not None and heat.opposite is not None:
        layers["both"] = [(heat.rather, _FOR), (heat.opposite, _AGAINST)]
    return [
        (name, parts.data_uri(tinted(pixels, _scaled(grids), box=box, side=_SIDE)))
        for name, grids in layers.items()
    ]


def _is_cut(heat: HeatMap) -> bool:
    """Whether the model does not see the whole picture."""
    region = heat.region
    return (region.bottom - region.top) * (region.right - region.left) < 0.97


def _scaled(layers: list[tuple[DoubleArray, Colour]]) -> list[tuple[DoubleArray, Colour]]:
    """The layers of one picture on one scale, 0 to 1."""
    top = max(float(grid.max()) for grid, _ in layers)
    return [(grid / max(top, 1e-12), colour) for grid, colour in layers]


def _prompts(contenders: list[Contender]) -> list[tuple[Contender, list[tuple[Prompt, float]]]]:
    """The prompts of each label, with the lengths of their bars, from 0 to 1."""
    similarities = [prompt.similarity for label in contenders for prompt in label.prompts]
    if not similarities:
        return []
    low, high = min(similarities), max(similarities)
    span = max(high - low, 1e-9)
    return [
        (label, [(match, 0.06 + 0.94 * (match.similarity - low) / span) for match in label.prompts])
        for label in contenders
    ]


def _percent(share: float) -> str:
    """A percentage that never rounds to 0% or 100%."""
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"
