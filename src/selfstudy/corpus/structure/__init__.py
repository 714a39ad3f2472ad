"""What texts of all formats have in common: blocks, headings, numbered items, rows and columns."""
