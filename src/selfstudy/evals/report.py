"""The report of an adaptation or an evaluation as one page of HTML that holds everything it shows and loads nothing.

write_report(folder / "report.html", ReportData(title="My documents", verdict=verdict, before=..., after=..., ...))
"""

from __future__ import annotations

from pathlib import Path

from selfstudy.core.files import write_atomic
from selfstudy.evals.report_data import Asked, ReportData

__all__ = ["Asked", "ReportData", "write_report"]


def write_report(path: Path, data: ReportData) -> Path:
    """Write the page to `path`, atomically; its size is about 5 MB, nearly all of it plotly.js. Raises HomeError."""
    from selfstudy.evals.page import page

    write_atomic(path, page(data))
    return path
