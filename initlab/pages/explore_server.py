"""The explorer's server: a setting off the grid -> its point, computed on this machine and for it alone.

It listens on 127.0.0.1 and answers GET. A page of another site can neither read its answers nor guess its
address: the path begins with a random token, and a request must name this host. A setting goes through the
program's own parsers, runs no code of a file, and is small enough for a second or two.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from initlab.errors import InitlabError, StorageError, require, shortened
from initlab.init.scheme import Scheme
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.architecture import Skip
from initlab.own_code import is_reference
from initlab.pages.grid import DEEPEST, MOST_UNITS, WIDEST, Measuring, Shape
from initlab.pages.points import Point, points

_LONGEST = 500  # characters of a request
_SECONDS = 10  # after which a request that does not end is dropped
_SLOW = ("pretrained_autoencoder", "pretrained_rbm")


def answer(query: Mapping[str, str], measuring: Measuring) -> Point:
    """The setting that a request asks for, and its point.

    Args:
        query: scheme, activation, depth, width and skip, as text.
        measuring: how a point is measured.

    Raises:
        UsageError: for a setting that is not accepted.

    >>> answer({"scheme": "./mine.py:f"}, Measuring())
    Traceback (most recent call last):
        ...
    initlab.errors.UsageError: the scheme './mine.py:f' is code of a file, which this server does not run
    """
    scheme = _scheme(query.get("scheme", ""))
    shape = Shape(
        activation=_activation(query.get("activation", "relu")),
        depth=_number(query, "depth", 2, DEEPEST),
        width=_number(query, "width", 1, WIDEST),
        skip=_skip(query),
    )
    units = shape.depth * shape.width
    require(units <= MOST_UNITS, f"depth x width is at most {MOST_UNITS} units here, not {units}")
    (point,) = points([scheme], shape, measuring)
    return {"setting": {"scheme": scheme, **asdict(shape)}, "point": point}


def _scheme(text: str) -> str:
    refused = f"the scheme {shortened(text)} is code of a file, which this server does not run"
    require(not is_reference(text), refused)
    scheme = Scheme.parse(text)
    require(scheme.name not in _SLOW, f"{scheme.name} trains each layer first, which takes too long here")
    return scheme.short


def _activation(text: str) -> str:
    refused = f"the activation {shortened(text)} is code of a file, which this server does not run"
    require(not is_reference(text), refused)
    return ACTIVATIONS.resolve(text)


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = query.get(name, "")
    fits = bool(re.fullmatch("[0-9]{1,6}", text)) and least <= int(text) <= most
    require(fits, f"{name} must be a whole number from {least} to {most}, not {shortened(text)}")
    return int(text)


def _skip(query: Mapping[str, str]) -> int | None:
    text = query.get("skip", "none")
    return None if text == "none" else Skip(every=_number(query, "skip", 1, DEEPEST)).every


class ExplorerServer(HTTPServer):
    """A server of one page and of points.

    Args:
        page: its text.
        measuring: how a point is measured.
        port: on which it listens; 0 for a free one.

    Raises:
        StorageError: when the port is taken.
    """

    def __init__(self, page: str, measuring: Measuring, port: int = 0) -> None:
        self.page, self.measuring = page.encode(), measuring
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise StorageError(f"port {port} of 127.0.0.1: {error.strerror or error}") from None

    def show(self, page: str) -> None:
        """Serve another page from now on: a port is taken before a page is computed for minutes.

        Args:
            page: its text.
        """
        self.page = page.encode()

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    timeout = _SECONDS
    server_version = "initlab"
    sys_version = ""

    def do_GET(self) -> None:
        hosts = [f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")]
        if self.headers.get("Host") not in hosts:
            return self._refuse(403, "this server answers requests of its own machine alone")
        if len(self.path) > _LONGEST:
            return self._refuse(414, f"a request has at most {_LONGEST} characters")
        parts = urlsplit(self.path)
        _, token, *rest = parts.path.split("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(404, "there is nothing here; use the address that the program printed")
        routes: dict[tuple[str, ...], Callable[[str], None]] = {("",): self._page, ("point",): self._point}
        route = routes.get(tuple(rest))
        return route(parts.query) if route else self._refuse(404, "there is nothing here")

    def _page(self, _query: str) -> None:
        self._send(200, "text/html; charset=utf-8", self.server.page)

    def _point(self, query: str) -> None:
        try:
            self._send_json(200, answer(dict(parse_qsl(query)), self.server.measuring))
        except InitlabError as error:
            self._refuse(200, str(error))  # of another status, the browser complains in its console
        except MemoryError:
            self._refuse(200, "not enough memory for a network of this size")

    def _refuse(self, status: int, message: str) -> None:
        self._send_json(status, {"error": message})

    def _send_json(self, status: int, value: Point) -> None:
        self._send(status, "application/json", json.dumps(value, allow_nan=False).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the terminal stays quiet."""
