"""A real HTTP service on a free port of the loopback that speaks both shapes, well and badly."""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "key-right"


def score_of(query, text):
    """The share of the text's words that the query has."""
    words = text.split()
    return sum(word in query.split() for word in words) / max(1, len(words))


class Service:
    """What the service does.

    Attributes:
        requests: What it was asked, in order: path, body.
        connections: How many there were.
        failures: Statuses with headers that it answers first.
        change: Makes something else of the answer.
        write: Sends the answer's bytes; those who need time wait for `released` between two bytes.
        released: Set at the end, so that nothing waits for ever.
        most: More texts in one request are refused, as text-embeddings-inference does.
        key: What callers must bring; None takes everybody.
    """

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.failures = []
        self.change = lambda answer: answer
        self.write = lambda stream, content: stream.write(content)
        self.released = threading.Event()
        self.most = 1000
        self.key = None
        self.closes = False
        self.lock = threading.Lock()

    def silent(self, _stream, _content):
        """A way to write: nothing, until the end of the test."""
        self.released.wait(30)

    def trickle(self, stream, content):
        """A way to write: byte after byte, each in time, the whole never."""
        for position in range(len(content)):
            stream.write(content[position : position + 1])
            stream.flush()
            if self.released.wait(0.02):
                return

    def answer(self, path, body):
        query = body["query"]
        if path == "/v2/rerank":
            rows = [
                {"index": index, "relevance_score": score_of(query, text)}
                for index, text in enumerate(body["documents"])
            ]
            best = sorted(rows, key=lambda row: -row["relevance_score"])[: body["top_n"]]
            return {"id": "x", "results": best, "meta": {}}
        if path == "/rerank":
            rows = [{"index": index, "score": score_of(query, text)} for index, text in enumerate(body["texts"])]
            return sorted(rows, key=lambda row: -row["score"])
        return None

    def handler(service):  # noqa: N805 (the handler below has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with service.lock:
                    service.connections += 1

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with service.lock:
                    service.requests.append((self.path, body))
                    failure = service.failures.pop(0) if service.failures else None
                answer = service.answer(self.path, body)
                if service.key is not None and self.headers["authorization"] != f"Bearer {service.key}":
                    self.send(401, {"message": "invalid api token"})
                elif answer is None:
                    self.send(404, {"message": f"no {self.path}"})
                elif len(body.get("texts", body.get("documents"))) > service.most:
                    self.send(413, {"error": f"batch size > maximum allowed batch size {service.most}"})
                elif failure is not None:
                    self.send(failure[0], {"message": f"failure {failure[0]}"}, failure[1])
                else:
                    self.send(200, service.change(answer))

            def send(self, status, body, headers=()):
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in headers:
                    self.send_header(name, value)
                with suppress(OSError):
                    self.end_headers()
                    service.write(self.wfile, content)
                self.close_connection = service.closes or service.released.is_set()

            def log_message(self, *_):
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A caller that went away is what some tests are about."""


@contextmanager
def serving(service):
    """Runs the service; gives its address."""
    server = _Server(("127.0.0.1", 0), service.handler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        service.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
