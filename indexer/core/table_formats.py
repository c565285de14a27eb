"""The formats of tables of products that can be named."""

from __future__ import annotations

from enum import StrEnum


class TableFormat(StrEnum):
    """By whose rules a table's rows become items."""

    AUTO = "auto"
    """Those of the feed that the columns are of; if of none, each row is an item."""

    PLAIN = "plain"
    """Each row is an item."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    GOOGLE = "google"
    KAGGLE = "kaggle"
    ABO = "abo"
    AMAZON = "amazon"
