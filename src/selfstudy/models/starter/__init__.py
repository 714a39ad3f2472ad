"""The starter model: what a newcomer without a key or a GPU gets instead of an LLM, grown from all-MiniLM-L6-v2."""
