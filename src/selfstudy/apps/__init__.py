"""Command line and pages: parse, call, show."""
