"""Delivers one message, in a process of its own: `python -m slipway.reconcile.watched.courier`.

The errand comes as JSON on standard input, since an address is a secret and arguments and variables are not. It ends
with 0 where it was delivered; else the reason, never with the address in it, is what it prints.
"""

from __future__ import annotations

import http.client
import json
import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NoReturn

from slipway import __version__

ANSWER_SECONDS = 8
"""For one answer of the other side: chats answer within one or two. The whole errand has a limit of its own."""


def main() -> None:
    try:
        errand = json.load(sys.stdin)
        _ring(errand["url"]) if errand["is_heartbeat"] else _tell(errand)
    except urllib.error.HTTPError as error:
        _end(f"it answers {error.code}")
    except TimeoutError:
        _end(f"it does not answer within {ANSWER_SECONDS} s")
    except (ValueError, http.client.InvalidURL):  # its message would hold the address
        _end("its secret is no address that messages can be sent to")
    except (OSError, http.client.HTTPException) as error:
        _end(_why(error))


def _tell(errand: Mapping[str, Any]) -> None:
    """By the chat's own format where the address is a chat's; else as JSON to whatever listens there."""
    import apprise  # takes half a second: only who sends pays for it

    logging.disable(logging.CRITICAL)  # its log may hold parts of the address
    url = errand["url"]
    chat = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if chat is None and url.startswith(("https://", "http://")):
        _post(url, errand["payload"])
    elif chat is None:
        raise ValueError("unknown kind")
    elif not chat.notify(body=errand["body"], title=errand["title"], notify_type=errand["kind"], body_format="text"):
        _end("it could not be reached, or refused the message")


def _post(url: str, payload: Any) -> None:
    headers = {"Content-Type": "application/json"}
    _open(urllib.request.Request(url, json.dumps(payload).encode(), headers))  # noqa: S310 - http and https only


def _ring(url: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError("unknown kind")
    _open(urllib.request.Request(url))  # noqa: S310 - http and https only


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message that is sent on becomes a GET without its content: that it moved has to be said instead."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _open(request: urllib.request.Request) -> None:
    request.add_header("User-Agent", f"slipway/{__version__}")
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=ANSWER_SECONDS):
        pass


def _why(error: BaseException) -> str:
    """What the system says, which knows no address; never what a library says, which might."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"it does not answer within {ANSWER_SECONDS} s"
    return f"it could not be reached ({getattr(reason, 'strerror', None) or type(reason).__name__})"


def _end(why: str) -> NoReturn:
    print(why)  # noqa: T201 - the answer to who started it
    sys.exit(1)


if __name__ == "__main__":
    main()
