"""What an ingestion prints at its end, and its exit code."""

from __future__ import annotations

from collections import Counter

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.objects import say_words
from indexer.commands.options import Output
from indexer.commands.syncing import tell_absent
from indexer.core.exit_codes import ExitCode
from indexer.ingestion.reports import IngestReport

_SOURCES_TOLD = 3
"""Earlier sources of the items that are named."""


def conclude(
    report: IngestReport, common: CatalogOptions, output: Output, *, fail_on_errors: bool, verb: str
) -> None:
    """Print the report of a run, and exit with the code of its outcome.

    Args:
        verb: the command that ran: ``ingest`` or ``retry``.
    """
    if output == Output.TABLE:
        console.show_facts(_in_words(report), title=f"Catalog {common.catalog}")
        report_utilisation(report)
    else:
        console.show_rows([_counts(report) | _outcomes(report)], output)
    _report_rows(report)
    if report.dead:
        advice = _dead_letter_advice(report, verb)
        console.say(f"Dead letters are in {common.folder.dead_letters}. {advice}")
    if report.interrupted:
        console.say(
            f"Interrupted. What was read is kept: run the same {verb} command again to go on."
        )
        raise typer.Exit(ExitCode.STOPPED)
    if not tell_absent(report):
        raise typer.Exit(ExitCode.FAILED)
    if report.dead and fail_on_errors:
        raise typer.Exit(ExitCode.ITEMS_FAILED)


def _counts(report: IngestReport) -> dict[str, object]:
    """Numbers of rows and items, by the name that programs read."""
    return {
        "read": report.read,
        "stored": report.stored,
        "unchanged": report.unchanged,
        "dead_letters": report.dead,
        "replaced": report.replaced,
        "shared": report.shared,
        "embedded": report.embedded,
        "frames": report.frames,
        "embedded_titles": report.embedded_titles,
        "titles_not_embedded": report.titles_not_embedded,
        "items": report.items,
        "further_pictures": report.further_pictures,
        "boxes": report.boxes,
        "object_words": list(report.object_words),
        "pictures_without_box": report.without_box,
        "outdated_boxes": report.outdated_boxes,
        "removed_pictures": report.removed_parts,
        "differing_rows": report.differing_rows,
        "joined_items": list(report.joined_items),
        "items_without_picture": report.without_part,
    }


def _outcomes(report: IngestReport) -> dict[str, object]:
    """Why rows failed or were left out, and how the run went, by the name that programs read."""
    return {
        "dead_by_reason": dict(report.dead_by_reason),
        "ignored_profiles": report.ignored_profiles,
        "lost_workers": report.lost_workers,
        "repeated_batches": report.repeated_batches,
        "left_out": dict(report.left_out),
        "moved": dict(report.moved),
        "absent": report.absent,
        "removed": report.removed,
        "merged": dict(report.merged),
        "utilisation": _utilisation(report),
    }


def _dead_letter_advice(report: IngestReport, verb: str) -> str:
    from indexer.core.reasons import Reason
    from indexer.jobs.retry import TABLE_FAULTS

    if report.dead_by_reason.keys() <= TABLE_FAULTS:
        return "Correct the table as it says there, and ingest it again."
    if verb == "retry":
        return "See there what each one needs."
    advice = "Try them again with: zeroshelf retry"
    if report.dead_by_reason.keys() & {*TABLE_FAULTS, Reason.UNREADABLE}:
        advice += (
            ". That leaves rows alone which can't be read or used: correct their table, "
            "and ingest it again."
        )
    return advice


def _report_rows(report: IngestReport) -> None:
    """Print the number of frames, of further pictures and of repeated ids."""
    if report.frames:
        console.say(f"{report.frames:,} frames of videos were embedded, to find their shots.")
    if report.titles_not_embedded:
        only_one = report.titles_not_embedded == 1
        whose = " of a sound or video is" if only_one else "s of sounds and videos are"
        console.say(
            f"{report.titles_not_embedded:,} title{whose} not embedded, as those of pictures are: "
            "search --hybrid finds their words."
        )
    if report.further_pictures:
        console.say(
            f"{report.further_pictures:,} further pictures are not embedded: their addresses are "
            "kept in the items' metadata as 'further_pictures'."
        )
    if report.differing_rows:
        console.say(
            f"{report.differing_rows:,} rows have another title or other metadata than the first "
            "row of their item: each picture keeps its own, and the item has those of its first."
        )
    say_words(report.object_words)
    if report.without_box:
        console.say(
            f"In {report.without_box:,} pictures nothing was found: each is embedded as a whole."
        )
    if report.outdated_boxes:
        console.say(
            f"{report.outdated_boxes:,} boxes were removed, since their pictures are other ones "
            "now: run the same command with --objects to find the things in these."
        )
    if report.joined_items:
        count = len(report.joined_items)
        console.say(
            f"{count:,} group{' has' if count == 1 else 's have'} a picture that is in no group, "
            f"because its own id is the group's, such as {report.joined_items[0]!r}. If it shows "
            "something else, give its row another id."
        )
    if report.without_part:
        only_one = report.without_part == 1
        console.say(
            f"{report.without_part:,} item{' has' if only_one else 's have'} no part that could be "
            f"stored: {'it is' if only_one else 'they are'} not in the catalog, and each of "
            f"{'its' if only_one else 'their'} parts is a dead letter."
        )
    if repeated := report.dead_by_reason["duplicate_id"]:
        rows = f"{repeated:,} row{'' if repeated == 1 else 's'}"
        console.say(
            f"{rows} had an id that came before, in this job or, made of a row's number, in "
            "another file: the first row of each id counts, the others are dead letters. Give each "
            "row an id of its own, or name another column with --id-column."
        )
    _report_moved(report)


def _report_moved(report: IngestReport) -> None:
    """Print from which other sources items came before this run, which replaced them."""
    for source, items in report.moved.most_common(_SOURCES_TOLD):
        console.say(
            f"{items:,} item{'' if items == 1 else 's'} came from {source} before, and "
            f"{'is' if items == 1 else 'are'} of this source now. If these are other items with "
            "the same ids, ingest them under another --catalog."
        )
    if others := report.moved.keys() - dict(report.moved.most_common(_SOURCES_TOLD)).keys():
        console.say(f"Items of {len(others):,} other sources were replaced in the same way.")


def _in_words(report: IngestReport) -> dict[str, str]:
    stored = f"{report.stored:,}"
    notes = []
    if report.replaced:
        notes.append(f"{report.replaced:,} replaced a row")
    if report.shared:
        notes.append(f"{report.shared:,} share the vector of an item with the same content")
    if notes:
        stored += f"  ({', '.join(notes)})"
    dead = f"{report.dead:,}"
    if report.dead:
        reasons = (f"{count:,} {reason}" for reason, count in report.dead_by_reason.most_common())
        dead += f"  ({', '.join(reasons)})"
    read = f"{report.read:,}"
    if report.items != report.read:
        read += f"  (rows of {report.items:,} item{'' if report.items == 1 else 's'})"
    facts = {
        "read": read,
        "= stored": stored,
        "+ unchanged": f"{report.unchanged:,}",
        "+ dead letters": dead,
    }
    notes_by_fact = {
        "things in pictures": (report.boxes, "each a row with its box"),
        "removed parts": (report.removed_parts, "their items no longer have them"),
        "colour profiles ignored": (report.ignored_profiles, "they can't be read"),
        "workers lost": (
            report.lost_workers,
            f"others did {report.repeated_batches:,} batches again",
        ),
    }
    facts |= {
        name: f"{count:,}  ({note})" for name, (count, note) in notes_by_fact.items() if count
    }
    if report.absent is not None:
        facts["in the catalog, not in this source"] = f"{report.absent:,}"
        if report.removed:
            facts["in the catalog, not in this source"] += "  (taken out)"
    if report.left_out:
        facts["left out"] = _by_extension(report.left_out)
    if report.merged:
        facts["merged into others"] = _by_extension(report.merged)
    return facts


def _by_extension(left_out: Counter[str]) -> str:
    """Files and members that no item was made of: how many, and of which extensions."""
    most = [f"{count:,} {extension}" for extension, count in left_out.most_common(8)]
    if len(left_out) > len(most):
        most.append(f"{left_out.total() - sum(c for _, c in left_out.most_common(8)):,} others")
    return f"{left_out.total():,}  ({', '.join(most)})"


def _utilisation(report: IngestReport) -> dict[str, float]:
    """Seconds of the stages, and the shares of their limits that they reached."""
    utilisation = report.utilisation
    return {
        "elapsed_s": round(utilisation.elapsed_s, 3),
        "embedding_s": round(utilisation.embedding_s, 3),
        "waiting_s": round(utilisation.waiting_s, 3),
        "decoding_s": round(utilisation.decoding_s, 3),
        "of_model": round(utilisation.of_model, 3),
        "of_decoders": round(utilisation.of_decoders, 3),
    }


_RATES_FROM_S = 5.0
"""Seconds of a run from which its rates are told: a shorter one mostly starts and ends."""


def report_utilisation(report: IngestReport) -> None:
    """Print what was embedded, and of a run that lasts what limits its speed."""
    utilisation = report.utilisation
    if report.embedded and utilisation.elapsed_s:
        rate = report.embedded / utilisation.elapsed_s
        rows = "item" if report.items == report.read else "row"
        rows += "" if report.embedded == 1 else "s"
        if utilisation.elapsed_s < _RATES_FROM_S:
            console.say(f"Embedded {report.embedded:,} {rows}.")
            return
        console.say(
            f"Embedded {report.embedded:,} {rows}, {rate:,.1f}/s: the model was at work "
            f"{utilisation.of_model:.0%} of the time, the {utilisation.decoders} decoding threads "
            f"{utilisation.of_decoders:.0%} of theirs."
        )
