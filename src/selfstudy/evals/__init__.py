"""Ranking and answer metrics, paired tests and intervals, reports and plots."""
