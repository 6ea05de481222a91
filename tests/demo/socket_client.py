"""A WebSocket client for the tests; run inside a container, where the library is.

Prints one JSON object per line: {"text": ...} for what came, {"closed": code} at the end.
Arguments: address, seconds to listen, texts to send. Sends the first at once, each further one after an answer.
"""

import json
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def main(address: str, seconds: float, texts: list[str]) -> None:
    deadline = time.monotonic() + seconds
    with connect(address) as socket:
        print(json.dumps({"open": True}), flush=True)
        for text in texts:
            socket.send(text)
        try:
            while (left := deadline - time.monotonic()) > 0:
                print(json.dumps({"text": socket.recv(timeout=left)}), flush=True)
        except TimeoutError:
            pass
        except ConnectionClosed as closed:
            print(json.dumps({"closed": closed.rcvd.code if closed.rcvd else None}), flush=True)


main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
