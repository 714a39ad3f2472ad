"""`python -m selfstudy` is the command line."""

from __future__ import annotations

from selfstudy.apps.cli import main

if __name__ == "__main__":
    main()
