"""Adapters to the outside: embedders and the starter model, reached by name only."""
