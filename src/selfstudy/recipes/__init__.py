"""The only place where capabilities meet."""
