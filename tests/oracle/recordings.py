"""Reads recorded feeds: the hftbacktest and cryptofeed file formats, told apart line by line.

Input: paths. Output: ("snapshot", symbol, answer) and ("message", None, message) in file order.
Deliberately decides nothing about sequences or books: that is replay.py.
"""

import decimal
import gzip
import json
import pathlib
import re

# `<local time> <json>`, the time in microseconds or nanoseconds.
STAMPED = re.compile(r"^\d{16,19} (\{.*)$")
# `URL -> seconds: body`: an HTTP answer.
ANSWER = re.compile(r"^(https?://\S+) -> [0-9.]+: (.*)$")
# `seconds: message`: a frame received.
RECEIVED = re.compile(r"^[0-9.]+: (.*)$")


def read(paths):
    """Every recorded thing of every file, the files joined in the order given."""
    for path in map(pathlib.Path, paths):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                item = parse_line(line.rstrip("\n"), path)
                if item is not None:
                    yield item


def parse_line(line, path):
    """One line as ("snapshot", symbol, answer), ("message", None, message), or None."""
    if stamped := STAMPED.match(line):
        content = loads(stamped[1])
        if "lastUpdateId" in content:
            return "snapshot", path.name.split("_")[0].upper(), content
        return "message", None, content
    if answer := ANSWER.match(line):
        symbol = re.search(r"/depth\?.*symbol=([^&]+)", answer[1])
        return ("snapshot", symbol[1], loads(answer[2])) if symbol else None
    if received := RECEIVED.match(line):
        return "message", None, loads(received[1])
    return None  # opened, sent, configuration, blank


def loads(text):
    """JSON whose numbers, should a venue send any, keep their digits."""
    return json.loads(text, parse_float=decimal.Decimal)
