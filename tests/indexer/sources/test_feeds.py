"""Feeds of shops and data sets: rows become products, and no row is lost on the way."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import SourceError
from indexer.core.protocols import merged
from indexer.core.reasons import Reason
from indexer.core.records import FURTHER_PICTURES, Failure, Item
from indexer.core.table_formats import TableFormat
from indexer.sources import TableOptions, open_sources
from indexer.sources.feeds import shopify, woocommerce
from indexer.sources.feeds.base import split_addresses
from indexer.sources.tables import Row

SHOPIFY = ["Handle", "Title", "Image Src", "Image Position", "Variant Image", "Status"]


def read(path: Path, **options: Any) -> tuple[dict[str, Item], list[Failure], Counter[str]]:
    """Items by id, bad rows, and what was merged."""
    source = open_sources([str(path)], TableOptions(**options))
    read = list(source)
    items = [item for item in read if isinstance(item, Item)]
    bad = [item for item in read if isinstance(item, Failure)]
    assert len({item.item_id for item in items}) == len(items)
    return {item.item_id: item for item in items}, bad, merged(source)


def write(path: Path, columns: list[str], *rows: list[Any], delimiter: str = ",") -> Path:
    """A table as Python's csv writes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return path


def pictures_of(item: Item) -> list[str]:
    """All pictures of an item, in order."""
    return [item.source, *item.metadata.get(FURTHER_PICTURES, [])]


def test_shopify(tmp_path: Path) -> None:
    """Rows of one handle are one product, wherever they stand; pictures go by their places."""
    path = write(
        tmp_path / "products_export_1.csv",
        SHOPIFY,
        ["tee", "", "https://x/2.jpg", 2, "", ""],
        ["mug", "Mug", "https://x/m.jpg", 1, "", "draft"],
        ["tee", "Tee", "https://x/1.jpg", 1, "https://x/red.jpg", "active"],
        ["tee", "", "", "", "https://x/blue.jpg", ""],
        ["tee", "", "https://x/red.jpg", 3, "", ""],
        ["bag", "Bag", "", "", "", "active"],
        ["", "", "https://x/nobody.jpg", 1, "", ""],
    )
    items, bad, together = read(path)
    assert pictures_of(items["tee"]) == [
        f"https://x/{name}.jpg" for name in ("1", "2", "red", "blue")
    ]
    assert items["tee"].title == "Tee"
    assert items["mug"].metadata == {"Status": "draft"}
    assert together == {"pictures": 2, "variants": 1}
    assert [letter.reason for letter in bad] == [Reason.MISSING, Reason.BAD_ID]


def test_shopify_of_today(tmp_path: Path) -> None:
    """Its columns have other names since 2025."""
    columns = ["Title", "URL handle", "Description", "Product image URL", "Image position"]
    path = write(
        tmp_path / "t.csv",
        columns,
        ["Tee", "tee", "d", "https://x/1.jpg", 1],
        ["", "tee", "", "https://x/2.jpg", 2],
    )
    items, _, _ = read(path)
    assert pictures_of(items["tee"]) == ["https://x/1.jpg", "https://x/2.jpg"]


def test_woocommerce(tmp_path: Path) -> None:
    """Pictures in one cell; variations belong to their product, by its id or its SKU."""
    columns = ["ID", "Type", "SKU", "Name", "Images", "Parent"]
    path = write(
        tmp_path / "wc.csv",
        columns,
        [1, "variable", "tee", "Tee", "https://x/1.jpg, https://x/2.jpg", ""],
        [2, "variation", "tee-s", "Tee - S", "https://x/s.jpg", "tee"],
        [3, "variation, virtual", "tee-m", "Tee - M", "", "id:1"],
        [4, "variation", "tee-l", "Tee - L", "https://x/l.jpg", "id:1"],
        [5, "simple", "mug", "Mug", "https://x/a.jpg | https://x/b.jpg", ""],
        [6, "variation", "lost", "Lost", "https://x/lost.jpg", "away"],
        ["", "simple", "new", "New", "https://x/c_w,300.jpg", ""],
    )
    items, bad, together = read(path)
    assert sorted(items) == ["1", "5", "6", "new"]
    assert sorted(pictures_of(items["1"])) == [f"https://x/{n}.jpg" for n in ("1", "2", "l", "s")]
    assert pictures_of(items["5"]) == ["https://x/a.jpg", "https://x/b.jpg"]
    assert pictures_of(items["new"]) == ["https://x/c_w,300.jpg"]
    assert together == {"pictures": 2, "variants": 1}
    assert not bad


@pytest.mark.parametrize("name", ["feed.txt", "feed.tsv"])
@pytest.mark.parametrize(
    "columns",
    [
        ["id", "title", "image_link", "additional_image_link", "gtin"],
        ["id", "title", "image link", "additional image link", "gtin"],
        ["ID", "Title", "Image link", "Additional image link", "GTIN"],
        ["g:id", "g:title", "g:image_link", "g:additional_image_link", "g:gtin"],
    ],
)
def test_google_as_text(tmp_path: Path, name: str, columns: list[str]) -> None:
    """Tabs, quotation marks without meaning, and names in each of the ways they are written."""
    rows = [
        ["1", 'Tee 6" wide', "https://x/1.jpg", "https://x/2.jpg,https://x/3.jpg", "001"],
        ["2", '"Best" mug', "pics/4.jpg", "pics/5.jpg,pics/6.jpg", "002"],
    ]
    lines = ["\t".join(row) for row in [columns, *rows]]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    items, bad, _ = read(tmp_path / name)
    assert not bad
    assert pictures_of(items["1"]) == [f"https://x/{n}.jpg" for n in (1, 2, 3)]
    assert pictures_of(items["2"]) == [f"{tmp_path}/pics/{n}.jpg" for n in (4, 5, 6)]
    assert items["1"].title == 'Tee 6" wide'


def test_a_list_of_addresses_stays_one(tmp_path: Path) -> None:
    """A .txt file without Google's columns is a list of pictures."""
    (tmp_path / "urls.txt").write_text("https://x/1.jpg\nhttps://x/2.jpg\n")
    items, _, _ = read(tmp_path / "urls.txt")
    assert sorted(items) == ["https://x/1.jpg", "https://x/2.jpg"]


RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>1</g:id><title><![CDATA[Caf\u00e9 & tea]]></title><g:image_link>https://x/1.jpg</g:image_link>
<g:additional_image_link>https://x/2.jpg</g:additional_image_link>
<g:additional_image_link>https://x/3.jpg</g:additional_image_link>
<g:shipping><g:country>DE</g:country><g:price>4 EUR</g:price></g:shipping></item>
<item><g:id>2</g:id><g:title>Mug</g:title><g:image_link>https://x/4.jpg</g:image_link></item>
</channel></rss>"""
ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>Shop</title><entry><g:id>1</g:id><title>Tee</title><link href="https://x/tee"/>
<g:image_link>https://x/1.jpg</g:image_link></entry></feed>"""


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
def test_google_as_rss(tmp_path: Path, encoding: str) -> None:
    """Google's elements in RSS, in any encoding that the file names."""
    (tmp_path / "feed.xml").write_bytes(RSS.format(encoding=encoding).encode(encoding))
    items, bad, _ = read(tmp_path / "feed.xml")
    assert not bad
    assert items["1"].title == "Caf\u00e9 & tea"
    assert pictures_of(items["1"]) == [f"https://x/{n}.jpg" for n in (1, 2, 3)]
    assert items["1"].metadata["shipping"] == {"country": "DE", "price": "4 EUR"}
    assert items["2"].title == "Mug"


def test_marks_within_a_text_of_xml(tmp_path: Path) -> None:
    """A line break in a title does not cost the title."""
    document = RSS.replace("Mug", "red<br/>mug <b>new</b>").format(encoding="UTF-8")
    (tmp_path / "feed.xml").write_text(document, encoding="utf-8")
    items, _, _ = read(tmp_path / "feed.xml")
    assert items["2"].title == "red mug new"
    assert items["1"].metadata["shipping"] == {"country": "DE", "price": "4 EUR"}


def test_google_as_atom(tmp_path: Path) -> None:
    """Atom's entries, and the address of its links."""
    with gzip.open(tmp_path / "feed.xml.gz", "wt") as file:
        file.write(ATOM)
    items, _, _ = read(tmp_path / "feed.xml.gz")
    assert items["1"].metadata == {"link": "https://x/tee"}


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><rss>&b;</rss>',
        '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>',
        '<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/x.dtd"><rss></rss>',
    ],
    ids=["bomb", "file", "address"],
)
def test_hostile_xml_is_refused(tmp_path: Path, document: str) -> None:
    """Entities and document types are told, not followed."""
    (tmp_path / "feed.xml").write_text(document)
    with pytest.raises(SourceError, match="document type or entities are refused"):
        open_sources([str(tmp_path / "feed.xml")])


def test_xml_that_ends_early(tmp_path: Path) -> None:
    """What came before the damage is read, the rest is a dead letter."""
    (tmp_path / "feed.xml").write_text(RSS.format(encoding="UTF-8")[:-60])
    items, bad, _ = read(tmp_path / "feed.xml")
    assert sorted(items) == ["1"]
    assert [letter.reason for letter in bad] == [Reason.UNREADABLE]
    assert "#2" in bad[0].message


def test_xml_that_is_no_feed(tmp_path: Path) -> None:
    """Another document is refused with what it is."""
    (tmp_path / "t.xml").write_text("<products><product/></products>")
    with pytest.raises(SourceError, match="root <products>"):
        open_sources([str(tmp_path / "t.xml")])


def test_kaggle(tmp_path: Path) -> None:
    """Commas of the last column are its own; pictures lie where the pattern says."""
    header = "id,gender,articleType,year,productDisplayName"
    rows = ["1,Men,Shoes,2010,Shoe, Pack of 2", "2,Men,Shirts,2011,Shirt", "3,Men,,2012,"]
    (tmp_path / "styles.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(SourceError, match="--image-pattern"):
        open_sources([str(tmp_path / "styles.csv")])
    (tmp_path / "images").mkdir()
    items, bad, _ = read(tmp_path / "styles.csv")
    assert not bad
    assert items["1"].title == "Shoe, Pack of 2"
    assert items["1"].source == f"{tmp_path}/images/1.jpg"
    items, _, _ = read(tmp_path / "styles.csv", image_pattern="https://x/{gender}/{id}.png")
    assert items["2"].source == "https://x/Men/2.png"


def test_a_pattern_needs_its_columns(tmp_path: Path) -> None:
    """A column that the table lacks is told before the first row, a missing value in its row."""
    path = write(tmp_path / "t.csv", ["id", "file"], ["1", "a"], ["2", ""])
    with pytest.raises(SourceError, match="--image-pattern"):
        open_sources([str(path)], TableOptions(image_pattern="pics/{name}.jpg"))
    items, bad, _ = read(path, image_pattern="pics/{file}.jpg")
    assert items["1"].source == f"{tmp_path}/pics/a.jpg"
    assert [letter.reason for letter in bad] == [Reason.MISSING]


AMAZON = {
    "2014": {"asin": "B1", "title": "Tee", "imUrl": "https://x/1.jpg"},
    "2018": {
        "asin": "B1",
        "title": "Tee",
        "imageURL": ["https://x/1_SX38.jpg", "https://x/2_SX38.jpg"],
        "imageURLHighRes": ["https://x/1.jpg", "https://x/2.jpg"],
    },
    "2023": {
        "parent_asin": "B1",
        "title": "Tee",
        "images": [
            {"thumb": "https://x/1t.jpg", "large": "https://x/1.jpg", "hi_res": None},
            {"thumb": "https://x/2t.jpg", "large": "https://x/2l.jpg", "hi_res": "https://x/2.jpg"},
        ],
    },
    "2023 in columns": {
        "parent_asin": "B1",
        "title": "Tee",
        "images": {
            "thumb": ["https://x/1t.jpg", "https://x/2t.jpg"],
            "large": ["https://x/1.jpg", "https://x/2l.jpg"],
            "hi_res": [None, "https://x/2.jpg"],
        },
    },
}


@pytest.mark.parametrize("year", AMAZON)
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_amazon(tmp_path: Path, year: str, suffix: str) -> None:
    """The metadata of each year, the largest size of each picture first."""
    path = tmp_path / f"meta.{suffix}"
    line = json.dumps(AMAZON[year]) + "\n"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([AMAZON[year]]), path)
    else:
        path.write_bytes(gzip.compress(line.encode()) if suffix.endswith("gz") else line.encode())
    items, _, _ = read(path)
    wanted = ["https://x/1.jpg", "https://x/2.jpg"][: 1 if year == "2014" else 2]
    assert pictures_of(items["B1"]) == wanted
    assert items["B1"].title == "Tee"
    assert items["B1"].metadata.keys() <= {FURTHER_PICTURES}


def test_abo(tmp_path: Path) -> None:
    """Values lose their languages, ids of pictures become paths by the table of images."""
    listing = {
        "item_id": "B1",
        "item_name": [
            {"language_tag": "de_DE", "value": "Stuhl"},
            {"language_tag": "en_GB", "value": "Chair"},
        ],
        "brand": [{"language_tag": "de_DE", "value": "Marke"}],
        "style": [{"value": "a"}, {"value": "b"}],
        "main_image_id": "71a",
        "other_image_id": ["71b", "71z"],
    }
    listings = tmp_path / "listings" / "metadata"
    metadata = tmp_path / "images" / "metadata"
    for folder in (listings, metadata, tmp_path / "images" / "small"):
        folder.mkdir(parents=True)
    path = listings / "listings_0.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(listing).encode()))
    with pytest.raises(SourceError, match=r"images\.csv\.gz"):
        open_sources([str(path)])
    table = pd.DataFrame({"image_id": ["71a", "71b"], "path": ["6f/6fa.jpg", "00/00b.jpg"]})
    table.to_csv(metadata / "images.csv.gz", index=False)
    items, _, together = read(path)
    small = tmp_path / "images" / "small"
    assert pictures_of(items["B1"])[:2] == [f"{small}/6f/6fa.jpg", f"{small}/00/00b.jpg"]
    assert items["B1"].title == "Chair"
    assert items["B1"].metadata["brand"] == "Marke"
    assert items["B1"].metadata["style"] == ["a", "b"]
    assert together == {"values in other languages": 1}


def test_a_plain_table_is_no_feed(tmp_path: Path) -> None:
    """Who has the columns id and image, or names columns, or says plain, gets the rows."""
    rows = [["a", "1", "A", "https://x/1.jpg"], ["a", "2", "", "https://x/2.jpg"]]
    path = write(tmp_path / "t.csv", ["Handle", "Variant SKU", "Title", "Image Src"], *rows)
    assert len(read(path)[0]) == 1
    columns = {"id_column": "Variant SKU", "image_column": "Image Src"}
    assert len(read(path, **columns)[0]) == 2
    with pytest.raises(SourceError, match="--id-column"):
        open_sources([str(path)], TableOptions(format=TableFormat.PLAIN))
    items, _, _ = read(path, **columns, format=TableFormat.SHOPIFY)
    assert len(pictures_of(items["1"])) == 2


def test_another_feed_is_refused(tmp_path: Path) -> None:
    """--format says what the table lacks."""
    path = write(tmp_path / "t.csv", ["id", "image"], ["1", "a.jpg"])
    with pytest.raises(SourceError, match="lacks a column 'handle' or 'url_handle'"):
        open_sources([str(path)], TableOptions(format=TableFormat.SHOPIFY))


def test_a_folder_of_exports(tmp_path: Path) -> None:
    """Several exports of one shop are read alike."""
    for part in (1, 2):
        row = [f"tee-{part}", "Tee", f"https://x/{part}.jpg", 1, "", ""]
        write(tmp_path / f"products_export_{part}.csv", SHOPIFY, row)
    assert sorted(read(tmp_path)[0]) == ["tee-1", "tee-2"]


NAMES = st.sampled_from(["", "a", "b", "c"])
URLS = st.sampled_from(["", "https://x/1.jpg", "https://x/2.jpg", "https://x/3.jpg"])
SHOPIFY_ROWS = st.lists(st.tuples(NAMES, st.sampled_from(["", "T"]), URLS, st.integers(0, 3), URLS))


@given(SHOPIFY_ROWS, st.sets(st.integers(1, 10)))
def test_no_row_of_shopify_is_lost(rows: list[Any], broken: set[int]) -> None:
    """Each row is a product, merged into one, or passed on; each picture is its product's."""
    table = [
        Row(number=number, values=None, problem="broken")
        if number in broken
        else Row(number=number, values=dict(zip(SHOPIFY, row, strict=False)))
        for number, row in enumerate(rows, 1)
    ]
    columns = {"handle": "Handle", "title": "Title", "image_src": "Image Src"}
    columns |= {"image_position": "Image Position", "variant_image": "Variant Image"}
    together: Counter[str] = Counter()
    products = list(shopify.products(lambda: iter(table), columns, together))
    assert len(products) + together.total() == len(table)
    good = [row.values for row in table if row.values is not None]
    by_handle = {
        row.values["Handle"]: row.values
        for row in products
        if row.values is not None and row.values["Handle"]
    }
    assert by_handle.keys() == {values["Handle"] for values in good} - {""}
    for handle, product in by_handle.items():
        own = [values for values in good if values["Handle"] == handle]
        wanted = {values[name] for values in own for name in ("Image Src", "Variant Image")} - {""}
        assert set(product["Image Src"]) == wanted
        assert len(product["Image Src"]) == len(wanted)
        assert bool(product["Title"]) == any(values["Title"] for values in own)


WOO = ["ID", "Type", "SKU", "Name", "Images", "Parent"]
WOO_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "1", "2", "3"]),
        st.sampled_from(["simple", "variable", "variation", "Variation, virtual"]),
        st.sampled_from(["", "x", "y"]),
        st.just("n"),
        st.lists(URLS, max_size=3).map(", ".join),
        st.sampled_from(["", "id:1", "id:2", "x", "away"]),
    )
)


@given(WOO_ROWS)
def test_no_row_of_woocommerce_is_lost(rows: list[Any]) -> None:
    """Each row is a product or merged into one, and no picture is lost."""
    table = [
        Row(number=number, values=dict(zip(WOO, row, strict=True)))
        for number, row in enumerate(rows, 1)
    ]
    columns = {name.lower(): name for name in WOO}
    together: Counter[str] = Counter()
    products = list(woocommerce.products(lambda: iter(table), columns, together))
    assert len(products) + together.total() == len(table)
    found = [one for row in products if row.values is not None for one in row.values["Images"]]
    assert set(found) == {one for row in rows for one in row[4].split(", ")} - {""}


@given(st.lists(st.sampled_from(["https://x/a,b.jpg", "http://y/1.jpg", "//z/w_1,h_2/3.jpg"])))
@pytest.mark.parametrize("divider", [",", ", ", " , ", "|", " | "])
def test_addresses_with_commas(divider: str, addresses: list[str]) -> None:
    """What was joined by a divider is taken apart again; commas inside stay."""
    assert split_addresses(divider.join(addresses)) == addresses


def test_a_column_that_stands_twice(tmp_path: Path) -> None:
    """Google lets a column of further pictures stand several times; each counts."""
    lines = ["id\ttitle\timage_link\tadditional_image_link\tadditional_image_link"]
    lines.append("1\tTee\thttps://x/1.jpg\thttps://x/2.jpg\thttps://x/3.jpg")
    (tmp_path / "feed.tsv").write_text("\n".join(lines) + "\n")
    items, _, _ = read(tmp_path / "feed.tsv")
    assert pictures_of(items["1"]) == [f"https://x/{n}.jpg" for n in (1, 2, 3)]


def test_an_element_that_comes_late(tmp_path: Path) -> None:
    """Further pictures count, though the first hundred items have none."""
    item = "<item><g:id>{}</g:id><g:image_link>https://x/1.jpg</g:image_link>{}</item>"
    late = "<g:additional_image_link>https://x/2.jpg</g:additional_image_link>"
    items = "".join(item.format(n, late if n == 149 else "") for n in range(150))
    text = f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'
    (tmp_path / "feed.xml").write_text(text)
    found, _, _ = read(tmp_path / "feed.xml")
    assert len(found) == 150
    assert found["149"].metadata == {FURTHER_PICTURES: ["https://x/2.jpg"]}


def test_a_feed_in_another_encoding(tmp_path: Path) -> None:
    """Rows in Latin-1 are told with the option that reads them, and read with it."""
    text = "id\ttitle\timage_link\n1\tCaf\u00e9\thttps://x/1.jpg\n2\tTee\thttps://x/2.jpg\n"
    (tmp_path / "feed.txt").write_bytes(text.encode("cp1252"))
    items, bad, _ = read(tmp_path / "feed.txt")
    assert sorted(items) == ["2"]
    assert "--encoding" in bad[0].message
    items, bad, _ = read(tmp_path / "feed.txt", encoding="cp1252")
    assert not bad
    assert items["1"].title == "Caf\u00e9"


@pytest.mark.parametrize(
    "options", [{"format": TableFormat.SHOPIFY}, {"image_pattern": "images/{id}.jpg"}]
)
def test_rules_for_rows_need_rows(tmp_path: Path, options: dict[str, Any]) -> None:
    """What says how rows are read is refused for a folder of pictures, not ignored."""
    (tmp_path / "a.png").touch()
    with pytest.raises(SourceError, match="is no table"):
        open_sources([str(tmp_path)], TableOptions(**options))


def test_feeds_have_no_vectors_in_step(tmp_path: Path) -> None:
    """Products of several rows can't be in step with a row of vectors each."""
    path = write(tmp_path / "t.csv", SHOPIFY, ["tee", "Tee", "1.jpg", 1, "", ""])
    np.save(tmp_path / "t.npy", np.ones((1, 4), np.float32))
    options = TableOptions(
        format=TableFormat.SHOPIFY,
        vectors=str(tmp_path / "t.npy"),
        id_column="Handle",
        image_column="Image Src",
    )
    with pytest.raises(SourceError, match="leave one out"):
        open_sources([str(path)], options)
