"""The background vocabulary that ships."""

from __future__ import annotations

from importlib import resources

from indexer.labels.concepts import packaged_concepts, parse_concepts


def test_a_list_is_parsed() -> None:
    """Remarks, blanks and repeats are no names."""
    assert parse_concepts("# head\nmug\n\n tea pot \nmug\n") == ("mug", "tea pot")


def test_the_packaged_names_are_names_of_things() -> None:
    """More than a thousand short names in lower case, each once."""
    names = packaged_concepts()
    assert 1500 < len(names) < 6000
    assert all(name == name.lower() and 1 <= len(name.split()) <= 6 for name in names)


def test_the_packaged_list_is_small() -> None:
    """Below 100 kB, as it travels in every wheel."""
    file = resources.files("indexer") / "data" / "concepts.txt"
    assert len(file.read_bytes()) < 100_000
