"""The write path: sources to embeddings to archive and database, and what reading shares."""
