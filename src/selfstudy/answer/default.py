"""The calibration of a home that was never adapted."""

from __future__ import annotations

from selfstudy.answer.abstention import Calibration, Line
from selfstudy.answer.signals import NAMES

# Made by `python bench/answers.py --fit-default`: the 337 guard questions beside their ten best hits among the guard's own passages and
# 5,000 texts of the standard library's documentation (all-MiniLM-L6-v2, hybrid search at .5), once as they are and once without the passage
# that answers.
DEFAULT = Calibration(
    names=NAMES,
    meaning=Line(
        means=(0.4242, 0.2548, 0.4361, 0.2712, 0.1771, 0.2474, 0.637, 0.038),
        scales=(0.1731, 0.1603, 0.1625, 0.187, 0.1662, 0.1714, 0.2349, 0.1188),
        weights=(0.4594, 0.4001, 0.3326, 0.0541, 0.0548, 0.0558, 0.0626, 0.1813),
        bias=0.0928,
        threshold=0.7406,
    ),
    words=Line(
        means=(0.0, 0.0, 0.0, 0.2712, 0.1771, 0.2474, 0.637, 0.038),
        scales=(1.0, 1.0, 1.0, 0.187, 0.1662, 0.1714, 0.2349, 0.1188),
        weights=(0.0, 0.0, 0.0, 0.175, 0.1747, 0.1825, 0.1731, 0.2428),
        bias=0.0462,
        threshold=0.8148,
    ),
)
