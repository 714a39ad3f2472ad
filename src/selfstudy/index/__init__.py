"""Store, lexical, dense, hybrid: everything is a Retriever."""
