"""PDFs of a few lines, made by hand."""

from __future__ import annotations

from pathlib import Path

PICTURE = "q 100 0 0 100 50 50 cm BI /W 1 /H 1 /CS /G /BPC 8 /F /AHx ID 80> EI Q"


def lines(*texts: str) -> str:
    shown = " T* ".join(f"({text}) Tj" for text in texts)
    return f"BT /F1 12 Tf 14 TL 50 700 Td {shown} ET"


def write_pdf(path: Path, *contents: str, info: str = "", lock: str = "", notes: str = "") -> Path:
    """A PDF with a page for each content stream; `notes` are the annotations of each."""
    pages = [4 + 2 * index for index in range(len(contents))]
    beside = f"/Annots[{notes}]" if notes else ""
    objects = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Count {len(pages)}/Kids[{' '.join(f'{page} 0 R' for page in pages)}]>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for page, content in zip(pages, contents, strict=True):
        objects[page] = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents {page + 1} 0 R{beside}>>"
        objects[page + 1] = f"<</Length {len(content)}>>stream\n{content}\nendstream"
    trailer = f"/Size {len(objects) + 3}/Root 1 0 R"
    for key, value in (("Info", info), ("Encrypt", lock)):
        if value:
            objects[len(objects) + 1] = value
            trailer += f"/{key} {len(objects)} 0 R"
    trailer += "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"
    data, at = "%PDF-1.4\n", {}
    for number, body in objects.items():
        at[number] = len(data)
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{at[number]:010d} 00000 n \n" for number in sorted(at))
    data += f"xref\n0 {len(at) + 1}\n0000000000 65535 f \n{table}trailer\n<<{trailer}>>\nstartxref\n{len(data)}\n%%EOF\n"
    path.write_bytes(data.encode("latin-1"))
    return path
