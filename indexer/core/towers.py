"""Which kinds of content a model has a tower for; pure."""

from __future__ import annotations

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.core.records import Fingerprint, Kind

_REMEDIES = {
    Kind.PICTURE: "sees no pictures. Use a CLIP model, such as --model pocket, in a --catalog of "
    "its own",
    Kind.SOUND: "hears no sounds. Use a CLAP model, such as --model pocket-sounds, in a --catalog "
    "of its own",
    Kind.VIDEO: "sees no pictures, which videos are made of. Use a CLIP model, such as --model "
    "pocket, in a --catalog of its own",
}


def embedded_kinds(fingerprint: Fingerprint) -> frozenset[Kind]:
    """The kinds of content that a model embeds, by its probes.

    A model of texts only counts as one of pictures: it refuses the first of them by itself, and
    the job with it.
    """
    kinds = {Kind.TEXT, Kind.VECTOR}
    if fingerprint.picture_probe or not fingerprint.sound_probe:
        kinds |= {Kind.PICTURE, Kind.VIDEO}
    if fingerprint.sound_probe:
        kinds.add(Kind.SOUND)
    return frozenset(kinds)


def require_tower(fingerprint: Fingerprint, kind: Kind, name: str) -> None:
    """Refuse a content that a model has no tower for.

    Args:
        name: of the content, for the message.

    Raises:
        ItemError: UNSUPPORTED: names content, model and remedy.
    """
    if kind not in embedded_kinds(fingerprint):
        message = f"{name}: model {fingerprint.model!r} {_REMEDIES[kind]}"
        raise ItemError(Reason.UNSUPPORTED, message)
