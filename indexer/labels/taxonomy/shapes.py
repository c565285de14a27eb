"""JSON and YAML of known programs: recognises them and finds their labels.

Other files are in our own nested form (``outlines``), or refused.

    imagenet_class_index.json     {"0": ["n01440764", "tench"], ...}     Keras, torchvision
    config.json, id2label.json    id2label, label2id                     transformers
    data.yaml                     names: [...] or {0: ...}               Ultralytics
    dataset_info.json             a ClassLabel feature                   Hugging Face datasets
    instances_*.json              categories, with supercategory         COCO, LVIS, iNaturalist
    gpc.json                      Schema, Childs                         GS1
    categories.json               verticals, categories                  Shopify
    *_classnames.json             {"cifar10": ["airplane", ...], ...}    CLIP_benchmark
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.envelopes import LabelPart, are_texts, is_node, label_part
from indexer.labels.taxonomy.fields import column_list, plain_key, text_of
from indexer.labels.taxonomy.lists import read_list
from indexer.labels.taxonomy.rows import Row

logger = logging.getLogger(__name__)


_DATASETS_WORDS = (
    "imagenet1k imagenet1k_unverified imagenetv2 cifar10 cifar100 mnist flowers pets food101 "
    "sun397 cars fgvc_aircraft dtd caltech101 stl10 eurosat gtsrb country211 voc2007 fer2013 "
    "renderedsst2 resisc45 svhn pcam dmlab objectnet"
)
_DATASETS = frozenset(_DATASETS_WORDS.split())
"""Some of CLIP_benchmark's: one of them as a key distinguishes its files from a tree."""

_YOLO_WORDS = "path train val test nc download kpt_shape flip_idx channels roboflow"
_YOLO = frozenset(_YOLO_WORDS.split())
_CODE = re.compile(r"n\d{8}|/[mg]/\w+|gid://\S+|https?://\S+|(?=[^a-z]*\d)[A-Z0-9._:/-]+")
_SENTENCE = re.compile(r"\S+( \S+){2,}[.!?]\s*")
_TEMPLATE = re.compile(r"\{(c|label|name|)\}")
_UNKNOWN = "this is no form of labels that is known. It has:"
_WRITE = (
    "Write labels as a list of names, as objects with 'id', 'name' and 'parent', or as a tree: "
    "names with a list of names below each, such as {Clothing: [Shirt, Dress], Shoes: [Boot]}."
)


def recognise(value: Any, place: str, dataset: str = "") -> list[Row] | LabelPart | None:
    """Rows, or the part that holds the labels; None for a file in our own form.

    Args:
        value: of a JSON or YAML file: mappings, lists, texts, numbers.
        dataset: the data set to read, where a file has the names of several.

    Raises:
        TaxonomyError: the file seems to hold no labels; the message says what it holds.
    """
    if isinstance(value, list):
        return _listed(value, place)
    if not isinstance(value, Mapping):
        return None
    if dataset and dataset not in value:
        raise TaxonomyError(
            f"{place}: there is no data set {dataset!r}, there are: {column_list(value)}."
        )
    # The most specific first: what _flat and label_part take is often another program's file.
    recognised = (
        _class_index(value, place)
        or _model_config(value, place)
        or _ultralytics(value, place)
        or _class_label(value, place)
        or _of_datasets(value, place, dataset)
        or _flat(value, place)
        or _label_studio(value, place)
        or label_part(value)
    )
    if recognised is None and not is_node(value):
        refuse_settings(value, place)
    return recognised


def refuse_settings(value: Mapping[Any, Any], place: str) -> None:
    """Refuse a mapping with texts or numbers as values: its keys are no labels.

    Raises:
        TaxonomyError: names the keys.
    """
    if any(isinstance(below, str | int | float) for below in value.values()):
        raise TaxonomyError(f"{place}: {_UNKNOWN} {column_list(value)}. {_WRITE}")


def _listed(value: list[Any], place: str) -> list[Row] | LabelPart | None:
    texts = [entry for entry in value if isinstance(entry, str)]
    if len(texts) < len(value) or not texts:
        return None
    refuse_templates(texts, place)
    if any(re.search(r"\s>\s", text) for text in texts) and not any("\n" in x for x in texts):
        return read_list("\n".join(texts), place)
    return None


def refuse_templates(texts: Sequence[str], place: str) -> None:
    """Refuse names that are prompt templates, such as "a photo of a {c}.".

    Raises:
        TaxonomyError: some are.
    """
    if any(map(_TEMPLATE.search, texts)):
        raise TaxonomyError(
            f"{place}: these are prompt templates, not labels: give the file as --template-file, "
            "and the labels in another."
        )


def _class_index(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    """``{"0": ["n01440764", "tench"], ...}``: the WordNet id is the label's."""
    if not _all_digits(value):
        return None
    pairs = [pair for pair in value.values() if isinstance(pair, list) and len(pair) == 2]
    if len(pairs) < len(value) or not all(isinstance(x, str) for pair in pairs for x in pair):
        return None
    return [
        Row(name=pair[1], label_id=pair[0], handles=(str(key),), place=f"{place}, class {key}")
        for key, pair in value.items()
    ]


def _model_config(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    if isinstance(names := value.get("id2label"), Mapping):
        return _indexed(names, place)
    if isinstance(ids := value.get("label2id"), Mapping):
        return _indexed([(number, name) for name, number in ids.items()], place)
    return None


def _ultralytics(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    names = value.get("names")
    others = {str(key) for key in value} - {"names"}
    if not isinstance(names, list | Mapping) or not (others & _YOLO or not others):
        return None
    by_index = names if isinstance(names, Mapping) else dict(enumerate(names))
    if isinstance(names, Mapping) and not _all_digits(names):
        return None
    count = text_of(value.get("nc"), "nc", place)
    if count and count != str(len(by_index)):
        logger.warning("%s: nc is %s, and there are %d names.", place, count, len(by_index))
    return _indexed(by_index, place)


def _class_label(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    """The names of the one ``ClassLabel`` of a data set's features."""
    names_by_feature: dict[str, Any] = {}

    def collect(value: Any, feature: str) -> None:
        if isinstance(value, Mapping):
            names = value.get("names")
            if value.get("_type") == "ClassLabel" and isinstance(names, list | Mapping):
                names_by_feature[feature] = names
            elif isinstance(inner := value.get("class_label"), Mapping) and "names" in inner:
                names_by_feature[str(value.get("name", feature))] = inner["names"]
            else:
                for key, below in value.items():
                    collect(below, str(key))
        # A longer list holds data, and no features.
        elif isinstance(value, list) and len(value) < 1000:
            for below in value:
                collect(below, feature)

    collect({key: value.get(key) for key in ("features", "dataset_info", "default")}, "")
    if not names_by_feature:
        return None
    if len(names_by_feature) > 1:
        raise TaxonomyError(
            f"{place}: several features are class labels: {column_list(names_by_feature)}. Write "
            "the names of one into a .txt file, one a line."
        )
    names = next(iter(names_by_feature.values()))
    return _indexed(names if isinstance(names, Mapping) else dict(enumerate(names)), place)


def _of_datasets(value: Mapping[Any, Any], place: str, dataset: str) -> list[Row] | None:
    """CLIP_benchmark's names by data set; the position is the id, as its targets have it."""
    lists = [names for names in value.values() if are_texts(names)]
    if len(lists) < len(value) or not lists:
        return None
    texts = [text for names in lists for text in names]
    if not dataset and sum(bool(_SENTENCE.fullmatch(text)) for text in texts) * 2 > len(texts):
        raise TaxonomyError(
            f"{place}: these are sentences on {len(value)} labels, not labels: write the labels "
            "with a column 'description', or the names alone."
        )
    if not dataset and not (_DATASETS & set(value) or "classnames" in place.rsplit("/", 1)[-1]):
        return None
    if not dataset and len(value) > 1:
        refuse_templates(texts, place)
        raise TaxonomyError(
            f"{place}: this file has the names of {len(value)} data sets: {column_list(value)}. "
            "Choose one with --dataset."
        )
    names = value[dataset] if dataset else lists[0]
    refuse_templates(names, place)
    return _indexed(dict(enumerate(names)), place)


def _flat(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    """A mapping of numbers to names, names to numbers, ids to names, names to descriptions."""
    if not value or (is_node(value) and "name" in value):
        return None
    bodies = list(value.values())
    if not all(isinstance(body, str | int) and not isinstance(body, bool) for body in bodies):
        return None
    keys = [str(key) for key in value]
    if _all_digits(value):
        return _indexed(value, place)
    if {plain_key(key) for key in keys} & {"path", "version", "train", "val", "nc", "modeltype"}:
        refuse_settings(value, place)
    if all(str(body).isdigit() for body in bodies) and len(set(map(str, bodies))) == len(bodies):
        return _indexed([(number, name) for name, number in value.items()], place)
    if all(_CODE.fullmatch(key) for key in keys):
        return _indexed(value, place)
    if sum(" " in str(body).strip() for body in bodies) * 2 >= len(bodies):
        logger.warning("%s: read the keys as names and the values as descriptions.", place)
        return [
            Row(
                name=key,
                label_id=key,
                description=text_of(body, key, place),
                place=f"{place}, {key!r}",
            )
            for key, body in value.items()
        ]
    raise TaxonomyError(
        f"{place}: this is a mapping such as {keys[0]!r}: {bodies[0]!r}, and it can't be told "
        "which of the two is the label's name. Write a list of objects with 'id', 'name' and "
        "'description', or put the names into a .txt file."
    )


def _label_studio(value: Mapping[Any, Any], place: str) -> list[Row] | None:
    """A labelling configuration as Label Studio's interface parses it."""
    tags = [tag for tag in value.values() if isinstance(tag, Mapping) and "to_name" in tag]
    if not tags or len(tags) < len(value):
        return None
    names = dict.fromkeys(name for tag in tags for name in tag.get("labels") or ())
    return [Row(name=str(name), label_id=str(name), place=place) for name in names]


def _indexed(names: Mapping[Any, Any] | Iterable[tuple[Any, Any]], place: str) -> list[Row]:
    """Rows of names by id, or of pairs of an id and a name."""
    pairs = names.items() if isinstance(names, Mapping) else names
    return [
        Row(
            name=text_of(name, "name", f"{place}, class {key}"),
            label_id=text_of(key, "id", place),
            place=f"{place}, class {key}",
        )
        for key, name in pairs
    ]


def _all_digits(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(str(key).isdigit() for key in value)
