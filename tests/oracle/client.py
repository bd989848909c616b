"""A client of the native JSON protocol, written from its description alone.

Owns: one channel's position and book, kept from the messages of a history as any client would.
Input: messages in the order received. Output: `Seen` facts, and mistakes counted by name.
Deliberately knows nothing of recordings: judge.py compares the two.
"""

import collections
import dataclasses
import re

import book as books

# Channel states and the node's word about its own feed carry no market fact.
STATE_ONLY = {"status", "stale"}
CANONICAL = re.compile(r"^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$")


@dataclasses.dataclass
class Seen:
    """One market fact as the client saw it, after applying it."""

    channel: str
    kind: str  # book, trade, bbo
    message: dict
    starts: bool = False  # a snapshot or a reset: what came before is replaced
    hash: str = ""
    top: list = dataclasses.field(default_factory=list)


class Channel:
    """What a client knows of one channel."""

    def __init__(self, name):
        self.name = name
        self.kind = name.split(":")[0]
        self.epoch = None
        self.last = None
        self.book = None


class Client:
    """Every channel of one history."""

    def __init__(self):
        self.channels = {}
        self.mistakes = collections.Counter()
        self.counts = collections.Counter()
        self.notes = []

    def receive(self, message):
        """One message; gives the market facts in it."""
        kind = message.get("type")
        self.counts[kind] += 1
        if kind == "subscribed":
            for started in message["channels"]:
                self._started(started)
            self.counts["refused"] += len(message.get("errors", []))
        elif kind == "batch":
            for event in message["events"]:
                yield from self._event({"channel": message["channel"], **event})
        elif "channel" in message:
            yield from self._event(message)

    def mistake(self, name, channel, message, why):
        """Counts a mistake and keeps the first few for the reader."""
        self.mistakes[name] += 1
        if len(self.notes) < 20:
            place = f"seq {message.get('seq')} vseq {message.get('vseq')}"
            self.notes.append(f"{name}: {channel} {place}: {why}")

    def _started(self, started):
        channel = self._channel(started["channel"])
        position = started.get("seq")
        if position is None:
            return
        if started.get("resumed") and (started.get("epoch"), position) != (
            channel.epoch,
            channel.last,
        ):
            self.mistake("chain", channel.name, started, f"resumed, but held {channel.last}")
        channel.epoch, channel.last = started.get("epoch"), position

    def _event(self, message):
        channel = self._channel(message["channel"])
        kind = message["type"]
        if kind == "stale":
            return  # unpositioned: the node's word, not the feed's
        if kind == "gap":
            self.mistake("gaps", channel.name, message, message.get("reason"))
            channel.last = message["to"]
            return
        if kind == "snapshot":
            yield from self._snapshot(channel, message)
            return
        if kind == "venue_gap":
            self.mistake("venue_gaps", channel.name, message, message.get("reason"))
        self._advance(channel, message)
        if kind == channel.kind and kind in {"book", "trade", "bbo"}:
            yield self._fact(channel, message)
        elif kind not in STATE_ONLY | {"venue_gap", channel.kind}:
            self.mistake("unknown_messages", channel.name, message, f"type {kind}")

    def _snapshot(self, channel, message):
        if message["seq"] is None:
            channel.book = None
            return
        channel.epoch, channel.last = message["epoch"], message["seq"]
        channel.book = books.Book()
        yield self._book(channel, message, starts=True)

    def _advance(self, channel, message):
        """The `prev` chain: dense on a base channel, so the next seq is the last plus one."""
        seq, prev = message["seq"], message["prev"]
        if message.get("snapshot"):
            channel.epoch, channel.last = message["epoch"], seq
            return
        if message.get("reset") and message.get("epoch", channel.epoch) != channel.epoch:
            if (seq, prev) != (1, 0):
                self.mistake("chain", channel.name, message, "an epoch that starts in its middle")
            channel.epoch, channel.last = message["epoch"], seq
            return
        if channel.last is not None and (prev != channel.last or seq != channel.last + 1):
            why = f"prev {prev} after {channel.last}"
            self.mistake("chain", channel.name, message, why)
        channel.last = seq

    def _fact(self, channel, message):
        if channel.kind == "book":
            starts = bool(message.get("reset"))
            if starts:
                channel.book = books.Book()
            return self._book(channel, message, starts)
        texts = [message.get("price"), message.get("size")]
        for side in ("bid", "ask"):
            texts += message.get(side) or []
        self._spelling(channel, message, [text for text in texts if text is not None])
        return Seen(channel.name, channel.kind, message, bool(message.get("reset")))

    def _book(self, channel, message, starts):
        if channel.book is None:
            self.mistake("book_without_snapshot", channel.name, message, "a delta to nothing")
            channel.book = books.Book()
        for side in ("bids", "asks"):
            for level in message[side]:
                self._spelling(channel, message, level)
        channel.book.apply(message["bids"], message["asks"])
        due = message["type"] == "snapshot" or message["seq"] % 16 == 0
        if "crc" in message:
            self.counts["checksums"] += 1
            if message["crc"] != channel.book.checksum():
                self.mistake("crc", channel.name, message, "the book differs from its checksum")
        elif due:
            self.mistake("crc_missing", channel.name, message, "a checksum was due")
        if channel.book.crossed():
            self.mistake("crossed", channel.name, message, str(channel.book.top()))
        # Hashed whole: a level beyond the configured depth is the server's mistake.
        seen = Seen(channel.name, "book", message, starts)
        seen.hash, seen.top = channel.book.hash(0), channel.book.top()
        return seen

    def _spelling(self, channel, message, texts):
        for text in texts:
            if not isinstance(text, str) or not CANONICAL.match(text):
                self.mistake("spelling", channel.name, message, f"decimal {text!r}")

    def _channel(self, name):
        return self.channels.setdefault(name, Channel(name))
