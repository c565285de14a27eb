"""From a source to archive and database: the stages and the pipeline of an ingestion."""
