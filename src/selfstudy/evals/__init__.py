"""Ranking and answer metrics, paired tests and intervals, the guard, the gate, and the pages that show what was found."""
