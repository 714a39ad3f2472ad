"""Adapters to models: embedders, rerankers and LLMs, here or behind an endpoint; and the starter model."""
