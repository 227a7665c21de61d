"""A server in a process of its own. `spin` on standard input makes a thread of its interpreter spin, `rest` stops it.

The spinning thread stands for whatever Python does beside the calls: extraction, JSON, the client of a model.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading

from mnemic.engine.settings import load_settings

_spinning = threading.Event()


def _spin() -> None:
    count = 0
    while True:
        _spinning.wait()
        while _spinning.is_set():
            count += 1


def _listen() -> None:
    for line in sys.stdin:
        if line.strip() == "spin":
            _spinning.set()
        else:
            _spinning.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=("grpc", "rest"))
    parser.add_argument("settings", help="the settings, as JSON")
    arguments = parser.parse_args()
    for target in (_spin, _listen):
        threading.Thread(target=target, daemon=True).start()
    settings = load_settings(**json.loads(arguments.settings))
    if arguments.shape == "grpc":
        from mnemic.server.server import serve

        serve(settings)
    else:
        from bench.serve.rest import serve_rest

        serve_rest(settings)


if __name__ == "__main__":
    main()
