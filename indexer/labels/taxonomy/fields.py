"""The meaning of columns and fields of label files, by many programs, and their values."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.core.suggestions import did_you_mean

logger = logging.getLogger(__name__)

COLUMNS = ("id", "name", "parent", "description", "synonyms")
"""Our own names, which messages and documents use."""

_WRITTEN_AS = {
    "id": "id categoryid idcategory catid entityid labelid classid termid taxonid taxonkey "
    "nodeid browsenodeid labelname gid uri code categorycode gpccode brickcode wnid conceptid "
    "key slug handle",
    "name": "name displayname categoryname classname termname nodename labelname preflabel "
    "title categorytitle label category text class term value canonicalname scientificname",
    "parent": "parent parentid parentcategory parentcategoryid parentcategoryname parentname "
    "idparent categoryparent parentcode parentkey parentnode parentnodeid parenttermid "
    "parentslug parenthandle parenturi parentgid parenttaxonkey parentnameusageid parentlabel "
    "parentclass parenttitle parentuid broader broaderid parentpath",
    "group": "supercategory supercategoryname superclass coarselabel coarseclass",
    "description": "description definition def desc categorydescription longdescription "
    "descriptiontext scopenote",
    "synonyms": "synonyms synonym aliases alias altlabels altlabel alternativenames "
    "alternatenames alternativelabels commonname commonnames vernacularname vernacularnames",
    "path": "path fullname fullpath categorypath nodepath pathname taxonomypath breadcrumb "
    "hierarchy categorytree fullcategory fullyqualifiedname",
}
ROLES = {role: tuple(names.split()) for role, names in _WRITTEN_AS.items()}
"""Names of the fields of each role, without case and marks, the most certain first."""

_CHILDREN_WORDS = (
    "children childs child subcategories subcategory items childrendata nodes categories "
    "childcategories subs narrower subclasses sublabels labels classes"
)
CHILDREN = frozenset(_CHILDREN_WORDS.split())
"""Fields that hold a label's children."""

_NO_PARENT = frozenset({"", "null", "none", "nil", "nan", "n/a", "na", "\\n", "-", "root", "#n/a"})
_WHOLE_NUMBER = re.compile(r"-?\d+\.0+")


def plain_key(column: object) -> str:
    """A field's name without case and marks: ``Parent ID``, ``parent_id``, ``parentId``."""
    return re.sub(r"[\W_]+", "", str(column)).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The roles of columns.

    Attributes:
        by_role: the column of each role of ``ROLES``.
        handles: further columns that a parent may be named by, such as a slug.
        ignored: columns without a role.
    """

    by_role: Mapping[str, str]
    handles: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: Sequence[str], place: str) -> Roles:
        """The roles of a file's columns.

        Raises:
            TaxonomyError: a column is there twice.
        """
        by_key: dict[str, list[str]] = {}
        for column in columns:
            by_key.setdefault(plain_key(column), []).append(column)
        by_role: dict[str, str] = {}
        handles: list[str] = []
        taken: set[str] = set()
        # A name before an id: a single column ``label`` or ``value`` is the name.
        for role in ("name", *(role for role in ROLES if role != "name")):
            for key in ROLES[role]:
                matching = [column for column in by_key.get(key, ()) if column not in taken]
                if not matching:
                    continue
                if len(matching) > 1:
                    raise TaxonomyError(
                        f"{place}: the column {key!r} is there twice "
                        f"({', '.join(map(repr, matching))}): remove one."
                    )
                if role not in by_role:
                    by_role[role] = matching[0]
                elif role == "id":
                    handles.append(matching[0])
                else:
                    continue
                taken.add(matching[0])
        return cls(
            by_role=by_role,
            handles=tuple(handles),
            ignored=tuple(column for column in columns if column not in taken),
        )

    def value(self, fields: Mapping[str, Any], role: str) -> Any:
        """The value of a role in a label's fields; None where there is none."""
        column = self.by_role.get(role)
        return None if column is None else fields.get(column)

    def warn_of_columns(self, place: str, *, also_read: Iterable[str] = ()) -> None:
        """Warn of columns with unusual names, and of ignored ones."""
        read = [
            f"{column!r} as the {role}"
            for role, column in self.by_role.items()
            if plain_key(column) != role and role in COLUMNS
        ]
        used = set(also_read)
        unused = [repr(column) for column in self.ignored if column not in used]
        if read:
            logger.warning("%s: read %s.", place, ", ".join(read))
        if unused:
            logger.warning("%s: these columns are ignored: %s.", place, ", ".join(unused))


def text_of(value: object, column: str, place: str) -> str:
    """A value as text without surrounding blanks; whole numbers without a point.

    Raises:
        TaxonomyError: a list, a mapping, or a truth value.
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = {list: "a list", bool: "true or false"}.get(type(value), "a mapping")
        raise TaxonomyError(f"{place}: {column!r} is {kind}: write a text in quotes.")
    return str(value).strip()


def synonyms_of(value: object, place: str) -> tuple[str, ...]:
    """Synonyms of a list, or of a text: a JSON list, or names separated by ``|`` or ``;``."""
    if isinstance(value, str) and value.strip().startswith("["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, list):
        synonyms = [text_of(entry, "synonyms", place) for entry in value]
    else:
        synonyms = re.split(r"[|;]", text_of(value, "synonyms", place))
    return tuple(dict.fromkeys(name for synonym in synonyms if (name := synonym.strip())))


def parent_of(value: object, place: str) -> str:
    """A parent as written; empty for all ways to write "no parent" except ``0``, maybe an id."""
    if isinstance(value, dict):  # nested, as in REST APIs
        roles = Roles.of([str(key) for key in value], place)
        value = roles.value(value, "id") if "id" in roles.by_role else roles.value(value, "name")
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    text = text_of(value, "parent", place)
    return "" if text.lower() in _NO_PARENT else text


def without_fraction(text: str) -> str:
    """``1`` for ``1.0``: pandas writes a column of ids with gaps as floats."""
    return text.partition(".")[0] if _WHOLE_NUMBER.fullmatch(text) else text


def column_list(columns: Iterable[object]) -> str:
    """Columns for a message."""
    names = [repr(str(column)) for column in columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if names[20:] else "") or "none"


def no_name_error(columns: Sequence[object], place: str, *, of_table: bool) -> TaxonomyError:
    """The error for labels without names."""
    texts = [str(column) for column in columns]
    if of_table:
        return TaxonomyError(
            f"{place}: there is no column 'name', there are: {column_list(texts)}."
            f"{did_you_mean('name', texts)} Write a header line with 'name' and, where wanted, "
            "id, parent, description and synonyms; a plain list of names is a .txt file."
        )
    return TaxonomyError(
        f"{place}: there is no 'name', there are: {column_list(texts)}."
        f"{did_you_mean('name', texts)} Give every label a 'name'."
    )
