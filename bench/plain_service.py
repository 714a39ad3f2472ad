"""What selfstudy's service is measured against: sentence-transformers + FAISS + FastAPI, as one writes them in forty lines.

python bench/plain_service.py MODEL_FOLDER PASSAGES.jsonl VECTORS.npy PORT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu")
passages = [json.loads(line) for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()]
vectors = np.load(sys.argv[3])
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
app = FastAPI()


class Search(BaseModel):
    question: str
    k: int = 10


@app.post("/search")
def search(asked: Search) -> list[dict[str, Any]]:
    vector = model.encode([asked.question], normalize_embeddings=True, show_progress_bar=False)
    scores, rows = index.search(vector, asked.k)
    return [{"passage": passages[row], "score": float(score)} for score, row in zip(scores[0], rows[0], strict=True)]


@app.get("/readyz")
def ready() -> str:
    return "ready"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[4]), log_level="warning")
