"""The readers, one for each format of files: bytes in, a document with its sections out."""
