"""Documents to passages: where they are cut, and what stands around them."""
