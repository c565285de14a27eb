"""What all pages share: the frame, the style, pictures as data."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

from indexer.core.errors import ItemError
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, thumbnail

STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --line: #dfe3e8; --ink: #1b2129;
  --dim: #56606d; --accent: #1f5fbf; --good: #1a7f4b; --warn: #9a5b00; --bad: #b3261e;
  --warn-back: #fff3dc; --bad-back: #fde8e6; --code: #eef1f5; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12151a; --card: #1b2027; --line: #323a45; --ink: #e8ebef; --dim: #a6b0bd;
    --accent: #8ab4f8; --good: #6fd09b; --warn: #f3bf63; --bad: #f2958e; --warn-back: #3a2d12;
    --bad-back: #3d1f1d; --code: #252c35; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3.5rem) 4rem; background: var(--back);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1200px; margin: 0 auto; }
h1 { font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; margin: 0 0 .4rem;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
p { margin: 0 0 1rem; max-width: 70ch; }
.dim { color: var(--dim); }
.small { font-size: .82rem; }
.number { font-variant-numeric: tabular-nums; }
pre { background: var(--code); border-radius: 8px; padding: .6rem .8rem; margin: 0 0 1rem;
  font: .85rem/1.5 ui-monospace, "SFMono-Regular", Menlo, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .8rem;
  margin: 1.2rem 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.grid { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem;
  grid-template-columns: repeat(auto-fill, minmax(var(--card-width, 120px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; display: flex; flex-direction: column; }
.card img, .card .none { width: 100%; aspect-ratio: 1; object-fit: contain; display: block;
  background: #fff; }
.card .none { display: grid; place-items: center; color: #56606d; font-size: .82rem; }
.card .text { padding: .45rem .6rem .6rem; overflow-wrap: anywhere; line-height: 1.35; }
.card .name { font-weight: 600; }
.card.doubtful { border-color: var(--warn); background: var(--warn-back); }
.card.wrong .truth { color: var(--bad); }
.badge { display: inline-block; border-radius: 99px; padding: 0 .5em; font-size: .75rem;
  color: var(--warn); border: 1px solid currentColor; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; background: var(--card); border-radius: 10px; }
th, td { text-align: left; padding: .45rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { font-size: .82rem; color: var(--dim); }
td.number, th.number { text-align: right; }
td:not(:last-child) { min-width: 8.5em; }
"""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Turns items' sources into pictures inside the page."""

    fetcher: Fetcher
    decoder: Decoder

    def tag(self, source: str, alt: str, *, side: int) -> str:
        """An ``img`` with the picture as data, or a note that there is none."""
        try:
            pixels = self.decoder.decode(self.fetcher.read(source), source)
        except ItemError:
            return '<div class="none">no picture</div>'
        data = base64.b64encode(thumbnail(pixels, side=side)).decode()
        text = escape(alt, quote=True)
        return f'<img alt="{text}" loading="lazy" src="data:image/jpeg;base64,{data}">'


def document(title: str, body: str, *, style: str = "") -> str:
    """A whole page.

    Args:
        title: text; it is escaped.
        body: HTML; what it is made of must be escaped already.
        style: CSS beyond what all pages share.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def tiles(facts: dict[str, str]) -> str:
    """Figures that stand out: the value large, its name below."""
    inside = "".join(
        f'<div class="tile"><b>{escape(value)}</b>'
        f'<span class="dim small">{escape(name)}</span></div>'
        for name, value in facts.items()
    )
    return f'<div class="tiles">{inside}</div>'


def command(*lines: str) -> str:
    """The commands that made a section."""
    return f"<pre>{escape(chr(10).join('$ ' + line for line in lines))}</pre>"


def card(picture: str, lines: list[str], *, classes: str = "") -> str:
    """One item of a grid; picture and lines are HTML."""
    text = "".join(lines)
    return f'<li class="card {classes}">{picture}<div class="text">{text}</div></li>'


def grid(cards: list[str], *, width: int = 120) -> str:
    """Cards side by side, as many as fit; ``width`` is the narrowest card in pixels."""
    return f'<ul class="grid" style="--card-width: {width}px">{"".join(cards)}</ul>'
