"""What lies in a data folder: archive, ledger, labels, decisions, generations, and opening it.

Parquet shards are the record, and Milvus is an index that can be made again from them. It must
not import `ingestion` or `jobs`: how items come in is no matter of a catalog.
"""
