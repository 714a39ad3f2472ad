"""Recipes over the libraries' own trainers."""
