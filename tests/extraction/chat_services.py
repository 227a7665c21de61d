"""A real HTTP server that speaks OpenAI's chat completions, in the shapes that services were recorded to answer in."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler

KEY = "sk-right"


def fact(text, *, sources=(1,), **parts):
    """One fact as a strong model gives it."""
    return {
        "text": text,
        "sources": list(sources),
        "kind": "fact",
        "time": "",
        "slot": "",
        "value": "",
        "adds": False,
        "corrects": False,
        "entities": [],
        "categories": [],
        "confidence": 0.9,
    } | parts


def completion(content, *, finish="stop", refusal=None, usage=(100, 20)):
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
    }
    if usage is not None:
        answer["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return 200, {}, answer


def facts(*items, **parts):
    return completion(json.dumps({"facts": list(items)}), **parts)


def error(status, message="failure", *, code=None, param=None, headers=None):
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}
    return status, headers or {}, body


class ChatService:
    """What the server does: `answers` one after another, the last for ever; a function answers by the request."""

    def __init__(self):
        self.answers = [facts()]
        self.requests = []
        self.delay = 0.0
        self.lock = threading.Lock()

    def next(self, request):
        with self.lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else answer

    def handler(service):  # noqa: N805 (the handler below has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path != "/v1/chat/completions":
                    self.answer(*error(404, f"no {self.path}"))
                elif self.headers["authorization"] != f"Bearer {KEY}":
                    self.answer(*error(401, "Incorrect API key provided", code="invalid_api_key"))
                else:
                    answer = service.next(request)
                    time.sleep(service.delay)
                    self.answer(*answer)

            def answer(self, status, headers, body):
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "text/html" if isinstance(body, str) else "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler
