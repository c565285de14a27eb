"""The command that shows all of it on a sample; parsing and printing, no logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.commands import console
from indexer.core.errors import UsageError

app = typer.Typer()


@app.command()
def demo(
    context: typer.Context,
    *,
    folder: Annotated[
        Path, typer.Argument(help="A new folder for the catalog and the page.", metavar="DIR")
    ] = Path("demo"),
) -> None:
    """Write a sample catalog, run the main job on it, and show the result as a page."""
    from indexer.sources import Fetcher
    from indexer.sources.decoding import Decoder
    from queries.demo import tell
    from queries.pages.demo import accuracy, demo_page
    from queries.pages.parts import Pictures

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"folder {str(folder)!r} is not empty: remove it, or name a new one.")
    command = context.find_root().command
    story = tell(
        folder, lambda words: command.main(words, prog_name="zeroshelf", standalone_mode=False)
    )
    with Fetcher() as fetcher:
        page = demo_page(story, Pictures(fetcher, Decoder()))
    (folder / "index.html").write_text(page, encoding="utf-8")
    right, items = accuracy(story)
    console.say(
        f"Accuracy against the known truth: {right:.1%} of {items:,}. "
        f"First labelling of the electronics {story.before.seconds:.1f} s after "
        f"{story.shelf_ingest.seconds:.1f} s of embedding; with the new label "
        f"{story.new_label.seconds + story.after.seconds:.1f} s, nothing embedded again."
    )
    console.say(f"All in {story.seconds:.0f} s. Open {folder / 'index.html'} in a browser.")
