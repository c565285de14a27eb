"""Feeds of shops and data sets: tables whose rows become products by rules of their own."""

from indexer.sources.feeds import abo, amazon, google, kaggle, shopify, woocommerce
from indexer.sources.feeds.base import Feed, plain_name
from indexer.sources.feeds.table import FeedTable, plain_columns

FEEDS: tuple[Feed, ...] = (
    shopify.FEED,
    woocommerce.FEED,
    google.FEED,
    kaggle.FEED,
    abo.FEED,
    amazon.FEED,
)
"""The feeds, in the order in which a table is compared with them."""

__all__ = ["FEEDS", "Feed", "FeedTable", "plain_columns", "plain_name"]
