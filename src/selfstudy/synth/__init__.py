"""Passages to verified question-answer examples, hard negatives and leak-free splits."""
