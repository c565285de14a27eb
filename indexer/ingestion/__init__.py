"""From a source to archive and database: the stages and the pipeline of an ingestion.

A stage maps a batch to a batch, one output an input, in order; a bad item is a ``Failure``.
``LocalStages`` runs them on this machine, `ray` on many. It must not import `jobs` or `commands`:
what is ingested, and with which options, is decided there.
"""
