"""Holds conflated books against the full one: equal at every seq a conflated channel emitted.

`conflated.py FULL SLOW`: two files of JSON messages, one a line. FULL is what a reader of
`book:…` received, SLOW what a reader of `book:…@100ms` and the like did, merged further if it was
slow. Prints what was compared as JSON and fails with the first mistake.
Deliberately shares no code with the server's workspace.
"""

import collections
import json
import sys

import book as books


def messages(file):
    """Positioned messages of books, in order; a batch is its events."""
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message.get("type") == "batch":
                events = [{"channel": message["channel"], **event} for event in message["events"]]
            else:
                events = [message]
            for event in events:
                if event.get("type") in {"snapshot", "book"} and event.get("seq") is not None:
                    yield event


class Followed:
    """A channel's book and place."""

    def __init__(self):
        self.book, self.epoch, self.last = books.Book(), None, None

    def take(self, message):
        """Applies one message; says why it can't, or None."""
        starts = message["type"] == "snapshot" or message.get("reset")
        if not starts and not message["prev"] <= self.last < message["seq"]:
            return f"prev {message['prev']} and seq {message['seq']} after {self.last}"
        if starts:
            self.book = books.Book()
        self.epoch, self.last = message.get("epoch", self.epoch), message["seq"]
        self.book.apply(message["bids"], message["asks"])
        if "crc" in message and message["crc"] != self.book.checksum():
            return "the book differs from its checksum"
        return None


def compare(full, slow):
    """What was compared, by channel."""
    truth, base = {}, Followed()
    for message in messages(full):
        why = base.take(message)
        assert why is None, f"the full book at {message['seq']}: {why}"
        truth[base.epoch, base.last] = base.book.hash(0)
    followed, found = collections.defaultdict(Followed), {}
    for message in messages(slow):
        name = message["channel"]
        channel = followed[name]
        why = channel.take(message)
        assert why is None, f"{name} at {message['seq']}: {why}"
        seen = found.setdefault(name, {"compared": 0, "checksums": 0, "events": 0, "most": 0})
        if message["type"] == "book":
            assert "crc" in message, f"{name} at {message['seq']}: no checksum"
            seen["events"] += message.get("n", 1)
            seen["most"] = max(seen["most"], message.get("n", 1))
        seen["checksums"] += "crc" in message
        known = truth.get((channel.epoch, channel.last))
        if known is not None:
            assert known == channel.book.hash(0), f"{name} at {message['seq']}: another book"
            seen["compared"] += 1
    return found


print(json.dumps(compare(sys.argv[1], sys.argv[2])))
