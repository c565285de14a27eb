"""The labels of a catalog: taxonomy files, prompts, label sets, adaptation, examples.

A label's embedding is the normalised mean of its prompts' embeddings. Embeddings come in as
arrays: this room must not import `encoder`, `store` or `sources`, its siblings.
"""
