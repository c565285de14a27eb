"""The write path, and what reading shares: sources to embeddings, to the archive, to Milvus.

It must not import `queries`. ``ARCHITECTURE.md`` draws its rooms; a room imports only from those
below it. Importing the package loads no heavy library.
"""
