"""A question and a retriever to an Answer with citations, or to an abstention."""
