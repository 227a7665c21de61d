"""The engine behind REST in the shape that Mem0's server has: FastAPI, pydantic models, uvicorn, JSON."""

import base64
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from mnemic.engine.engine import Engine
from mnemic.engine.settings import Settings
from mnemic.model.scope import Scope
from mnemic.model.search import SearchRequest


class Search(BaseModel):
    query: str = ""
    vector: str = ""
    user_id: str
    top_k: int = 10


class Hit(BaseModel):
    id: str
    memory: str
    score: float
    metadata: dict[str, Any]
    created_at: int


class Answer(BaseModel):
    results: list[Hit]


def serve_rest(settings: Settings) -> None:
    engine = Engine.open(settings)
    application = FastAPI()

    @application.post("/search")
    def search(request: Search) -> Answer:
        asked = SearchRequest(
            scope=Scope(user_id=request.user_id),
            query=request.query,
            vector=base64.b64decode(request.vector) if request.vector else None,
            top_k=request.top_k,
        )
        hits = [
            Hit(
                id=hit.memory_id,
                memory=hit.body,
                score=hit.score,
                metadata=dict(hit.memory.metadata),
                created_at=hit.memory.create_time_micros,
            )
            for hit in engine.search("default", asked).hits
        ]
        return Answer(results=hits)

    listener = socket.create_server(("127.0.0.1", 0))
    # As uvicorn does for a listener of its own; without it each answer would wait 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sys.stdout.write(f"mnemic serving on 127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(application, log_level="warning", access_log=False)).run(sockets=[listener])
    engine.close()
