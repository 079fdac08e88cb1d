"""Events from elsewhere: foreign files into drafts of seeds. Nothing here writes to a store."""
