"""The only place where capabilities meet: ingest, adapt, evaluate, engine."""
