"""What a good model would write about documents on pumps, and these documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

from endpoint import Body

PARTS = ("valve", "wheel", "piston", "gasket", "motor", "filter")


def pupil(body: Body, place: int) -> str:
    """What a good model would write about a pump."""
    asked = body["messages"][-1]["content"]
    inside = asked.partition("=" * 20)[2].partition("=" * 20)[0].strip()
    if "Choose up to" in asked:
        weeks, who = re.findall(r"\d+ weeks|Number\d+", inside)[:2]
        return json.dumps({"answers": [{"text": weeks, "type": "number"}, {"text": who, "type": "entity"}]})
    if "whose answer it is" in asked:
        number = re.findall(r"pump (\d+)", inside)[0]
        answers = re.findall(r'"([^"]+)"', re.findall(r"\nAnswers: (.*)\n", asked)[0])
        forms = {"weeks": f"How often does pump {number} get fresh oil?", "Numbe": f"Which engineer cares for pump {number}?"}
        return json.dumps({"questions": [{"answer": a, "question": forms["weeks" if "weeks" in a else a[:5]]} for a in answers]})
    if "claims" in asked:
        number, weeks = re.findall(r"pump (\d+).*?(\d+) weeks", inside)[0]
        return json.dumps(
            {
                "claims": [
                    {"claim": f"Pump {number} gets oil each {weeks} weeks.", "true": True, "evidence": inside.split(". ")[0]},
                    {"claim": f"Pump {number} gets oil each 99 weeks.", "true": False, "evidence": inside.split(". ")[0]},
                ]
            }
        )
    return json.dumps({"answers": ["unknown" for _ in asked.strip().splitlines()[3:]]})


def write_pumps(folder: Path) -> Path:
    """A new `folder` with a document on each of 44 pumps."""
    folder.mkdir()
    places = ("harbour", "castle", "station", "bakery", "library", "theatre", "brewery")
    for n in range(44):
        part, place = PARTS[n % len(PARTS)], places[n % len(places)]
        folder.joinpath(f"p{n}.txt").write_text(
            f"The {part} of pump {n} is oiled every {n + 2} weeks by engineer Number{n}. It runs below the {place} of district {n * 7} "
            f"and may be stopped if the {place} is closed. The {part} weighs {n + 300} kilograms because it was cast in {1900 + n}.\n"
        )
    return folder
