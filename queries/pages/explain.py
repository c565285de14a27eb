"""An explanation as a page: what decided, where it lies in the picture, what is near."""

from __future__ import annotations

import base64
import math
from html import escape

from indexer.core.protocols import Pixels
from indexer.sources.decoding import thumbnail
from queries.explanation.evidence import Separation
from queries.explanation.explain import Contender, Explanation, TitleSays
from queries.explanation.heat_maps import Exact, HeatMap
from queries.explanation.neighbours import Neighbour
from queries.pages import parts
from queries.pages.overlay import Colour, tinted

_SIDE = 440
_NEAR_SIDE = 220
_FOR, _AGAINST = (0, 122, 204), (226, 104, 0)
"""Blue and orange: told apart by people who see few colours, too."""

_METHODS = {
    "occlusion": "Squares of the picture are hidden one after the other. Where the odds fall, the "
    "hidden part spoke for the label (Zeiler and Fergus 2014).",
    "attention": "The relevance that flows through the model's attention (Chefer et al. 2021).",
}
_STYLE = """
:root { --for: #0a6ebd; --against: #c05a00; }
@media (prefers-color-scheme: dark) { :root { --for: #6cb6ff; --against: #ffa657; } }
.head { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.4rem; align-items: start;
  margin-top: 1.2rem; }
.head.pictured { grid-template-columns: minmax(160px, 300px) minmax(0, 1fr); }
.head > img { width: 100%; max-height: 420px; object-fit: contain; border-radius: 12px;
  background: #fff; border: 1px solid var(--line); display: block; }
.verdict { font-size: clamp(1.5rem, 4.5vw, 2.2rem); font-weight: 700; line-height: 1.15;
  overflow-wrap: anywhere; }
.bars { list-style: none; margin: 1rem 0 0; padding: 0; display: grid; gap: .5rem; }
.bars .line { display: flex; justify-content: space-between; gap: 1rem; }
.bars .line span:first-child { overflow-wrap: anywhere; }
.track { height: 8px; border-radius: 99px; background: var(--code); overflow: hidden; }
.fill { height: 100%; border-radius: 99px; background: var(--dim); min-width: 2px; }
.first .fill { background: var(--for); } .second .fill { background: var(--against); }
.first b, .for { color: var(--for); } .second b, .against { color: var(--against); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr));
  gap: 1.2rem; margin-top: .8rem; }
figure { margin: 0; }
figure img { width: 100%; border-radius: 12px; display: block; border: 1px solid var(--line); }
figcaption { margin-top: .4rem; }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.1rem 1.1rem; }
.panel h3 { margin-top: 0; overflow-wrap: anywhere; }
.words { line-height: 2.1; font-size: 1.1rem; }
.words span { padding: .15em .3em; border-radius: 5px; }
.quote { border-left: 3px solid var(--line); padding-left: .8rem; font-size: 1.1rem; }
.note { border-left: 3px solid var(--warn); padding-left: .8rem; }
@media (max-width: 560px) { .head.pictured { grid-template-columns: minmax(0, 1fr); } }
"""


def explain_page(
    found: Explanation, *, pixels: Pixels | None, catalog: str, pictures: parts.Pictures
) -> str:
    """An explanation as one file.

    Args:
        pixels: uint8 (height, width, 3), the picture; None for others.
    """
    first = found.winner.label or "no label"
    second = found.runner_up.label if found.runner_up else ""
    sections = [
        f"<h1>Why {escape(first)}?</h1>",
        f'<p class="dim">{escape(found.input)}, labelled by the catalog {escape(catalog)}'
        f"{', adapted to its items' if found.adapted else ''}</p>",
        _head(found, pixels),
        _title(found.title) if found.title else "",
        _separation(found.separation, first, second) if found.separation else "",
        _maps(found.heat_map, pixels, first, second)
        if found.heat_map is not None and pixels is not None
        else "",
        _words(found),
        _prompts([one for one in (found.winner, found.runner_up) if one is not None]),
        _neighbours(found.neighbours, pictures),
        "".join(f'<p class="note">{escape(note)}</p>' for note in found.notes),
    ]
    return parts.document(f"Why {first}? - zeroshelf", "\n".join(sections), style=_STYLE)


def _head(found: Explanation, pixels: Pixels | None) -> str:
    best = found.predictions[0]
    path = " &rsaquo; ".join(map(escape, best.path))
    lines = [
        _bar(
            f"<b>{escape(one.label)}</b>",
            f"{_percent(one.score)} &middot; cosine {one.similarity:.3f}",
            one.score,
            ("first", "second", "")[min(rank, 2)],
        )
        for rank, one in enumerate(found.predictions)
    ]
    margin = "" if found.margin is None else f" &middot; margin {found.margin:.3f}"
    text = (
        f'<div><div class="verdict">{escape(best.label)} '
        f'<span class="number">{_percent(best.score)}</span></div>'
        f'<div class="dim">{path}</div><div class="dim small">{escape(best.status)}{margin}</div>'
        f'<ul class="bars">{"".join(lines)}</ul></div>'
    )
    if pixels is None:
        return f'<div class="head">{text}</div>'
    image = _image(thumbnail(pixels, side=_SIDE), "the picture that was given")
    return f'<div class="head pictured">{image}{text}</div>'


def _title(said: TitleSays) -> str:
    picture = f"<b>{escape(said.picture_label)}</b> ({_percent(said.picture_score)})"
    return (
        f'<h2>What the title adds</h2><p class="quote">{escape(said.title)}</p>'
        f"<p>The picture alone would be {picture}, the title alone "
        f"<b>{escape(said.label)}</b>. The title counts for {said.weight:.0%}.</p>"
    )


def _separation(parted: Separation, first: str, second: str) -> str:
    shares = {
        "the input's match with the two names": parted.match,
        "what the catalog's items say of the two labels": parted.bias,
        "taught examples": parted.examples,
        "the title": parted.title,
        "the other labels below the two": parted.others,
    }
    told = [
        f"<li>{escape(name)}: {_times(value)}</li>" for name, value in shares.items() if value != 0
    ]
    plain = (
        f"Plain cosines differ by {parted.similarity:+.3f}"
        + ("" if parted.similarity >= 0 else f": without the catalog it would be {escape(second)}")
        + "."
    )
    return (
        "<h2>What separates the two best</h2>"
        f'<p><b class="for">{escape(first)}</b> is {_number(parted.log_odds)} times as likely as '
        f'<b class="against">{escape(second)}</b>. The factors:</p>'
        f"<ul>{''.join(told)}</ul><p class='dim small'>{plain}</p>"
    )


def _maps(heat: HeatMap, pixels: Pixels, first: str, second: str) -> str:
    region = heat.region
    box = (region.top, region.left, region.bottom, region.right)
    blue, orange = f'<b class="for">{escape(first)}</b>', f'<b class="against">{escape(second)}</b>'
    shown = [([(heat.winner, _FOR)], f"Speaks for {blue}, against all others")]
    if heat.runner_up is not None:
        shown.append(([(heat.runner_up, _AGAINST)], f"Speaks for {orange}, against all others"))
    if heat.rather is not None and heat.opposite is not None:
        both = [(heat.rather, _FOR), (heat.opposite, _AGAINST)]
        shown.append((both, f"For {blue} rather than {orange}, and the reverse"))
    figures = []
    for layers, caption in shown:
        jpeg = tinted(pixels, _scaled(layers), box=box, side=_SIDE)
        image = _image(jpeg, "the picture with what matters in colour")
        figures.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    cut = (region.bottom - region.top) * (region.right - region.left) < 0.97
    outside = " The model does not see what is greyed out at the edges." if cut else ""
    return (
        "<h2>Where in the picture</h2>"
        f'<p class="dim">{_METHODS[heat.method]}{outside}</p>'
        f'<div class="pair">{"".join(figures)}</div>'
    )


def _scaled(layers: list[tuple[Exact, Colour]]) -> list[tuple[Exact, Colour]]:
    """The layers of one picture on one scale, 0 to 1."""
    top = max(float(grid.max()) for grid, _ in layers)
    return [(grid / max(top, 1e-12), colour) for grid, colour in layers]


def _words(found: Explanation) -> str:
    if not found.words:
        return ""
    top = max(abs(one.evidence) for one in found.words) or 1.0
    spans = []
    for one in found.words:
        share = round(55 * abs(one.evidence) / top)
        colour = "--for" if one.evidence > 0 else "--against"
        spans.append(
            f'<span title="{one.evidence:+.2f}" style="background: color-mix(in srgb, '
            f'var({colour}) {share}%, transparent)">{escape(one.word)}</span>'
        )
    heading = "Which words of the title" if found.title else "Which words"
    return (
        f"<h2>{heading}</h2><p class='dim'>Each word is left out in turn (Li et al. 2016): blue "
        "words speak for the label, orange ones for the runner-up.</p>"
        f'<p class="words">{" ".join(spans)}</p>'
    )


def _prompts(contenders: list[Contender]) -> str:
    every = [prompt.similarity for one in contenders for prompt in one.prompts]
    if not every:
        return ""
    low, high = min(every), max(every)
    span = max(high - low, 1e-9)
    panels = []
    for rank, one in enumerate(contenders):
        bars = [
            _bar(
                escape(prompt.text),
                f"{prompt.similarity:.3f}",
                0.06 + 0.94 * (prompt.similarity - low) / span,
                ("first", "second")[rank],
            )
            for prompt in one.prompts
        ]
        panels.append(
            f'<div class="panel"><h3>{escape(one.leaf or one.label)} '
            f'<span class="dim small">{_leaf_or_mean(one)}</span></h3>'
            f'<ul class="bars">{"".join(bars)}</ul></div>'
        )
    return (
        "<h2>The prompts that decided</h2><p class='dim'>Cosine of each prompt with the input. "
        "The label's vector is the mean of its prompts; bars begin at the lowest of both.</p>"
        f'<div class="pair">{"".join(panels)}</div>'
    )


def _leaf_or_mean(one: Contender) -> str:
    if one.leaf:
        return f"the likeliest of {escape(one.label)}"
    return f'<span class="number">mean {one.similarity:.3f}</span>'


def _neighbours(near: tuple[Neighbour, ...], pictures: parts.Pictures) -> str:
    if not near:
        return ""
    labelled = any(one.origin for one in near)
    heading = "The nearest labelled items" if labelled else "The nearest items"
    cards = [
        parts.card(
            pictures.tag(one.source, one.title or one.item_id, side=_NEAR_SIDE),
            [
                f'<div class="name">{escape(one.label or "no label")}</div>',
                f'<div class="small">{escape(one.title)}</div>' if one.title else "",
                f'<div class="dim small">{escape(one.item_id)}</div>',
                f'<div class="dim small number">similarity {one.similarity:.3f}'
                f"{f', {one.origin}' if one.origin else ''}</div>",
            ],
        )
        for one in near
    ]
    return f"<h2>{heading}</h2>{parts.grid(cards, width=125)}"


def _bar(name: str, value: str, share: float, classes: str) -> str:
    return (
        f'<li class="{classes}"><div class="line"><span>{name}</span>'
        f'<span class="dim small number">{value}</span></div>'
        f'<div class="track"><div class="fill" style="width: {100 * share:.1f}%"></div></div></li>'
    )


def _percent(share: float) -> str:
    """A probability; one that is nearly 0 or 1 is not called so."""
    if 0 < share < 0.001:
        return "&lt;0.1%"
    return "&gt;99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def _times(log_odds: float) -> str:
    return f"{'&times;' if log_odds >= 0 else '&divide;'}{_number(log_odds)}"


def _number(log_odds: float) -> str:
    """The factor that odds change by, whichever way."""
    factor = math.exp(min(abs(log_odds), 20.0))
    more = "more than " if abs(log_odds) > 20 else ""
    return more + (f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}")


def _image(jpeg: bytes, alt: str) -> str:
    data = base64.b64encode(jpeg).decode()
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/jpeg;base64,{data}">'
