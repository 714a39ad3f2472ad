"""Files in, clean passages with exact spans out."""
