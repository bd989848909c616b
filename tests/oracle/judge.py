#!/usr/bin/env python3
"""Judges what a WebSocket client received against what the recordings say it must have seen.

    judge.py EXPECTED… --history FILE [--depth 1000] [--partial] [--allow-resync] [--market M…]

EXPECTED: recordings, or a stream that replay.py wrote (`.jsonl`). FILE: the native-protocol JSON
messages, one a line, in the order received (several sessions of one client may follow each
other). Output: a JSON verdict; exit 1 on any failure, 2 when it cannot judge.

`--partial`: the client came late or left early, so facts may be missing at either end.
`--allow-resync`: the venue lost something on purpose; gaps it announces are counted, not held
against it. `--market`: these markets (`binance:BTCUSDT`) must have been seen.

Deliberately shares no code with the server's workspace: books, checksums and continuity are
client.py's own.
"""

import argparse
import collections
import json
import sys

import client as clients
import replay

# What `--allow-resync` forgives: losses that were announced.
ANNOUNCED = ("gaps", "venue_gaps", "resets")


class Judge:
    """Compares seen facts with expected ones, market by market."""

    def __init__(self, markets, partial=False, allow_resync=False):
        self.client = clients.Client()
        self._partial = partial
        self._allow_resync = allow_resync
        self._markets = {spelled(name): market for name, market in markets.items()}
        self._progress = {}
        self.counts = collections.Counter()

    def receive(self, message):
        """One message of the history."""
        for seen in self.client.receive(message):
            market = seen.channel.split(":", 1)[1]
            if market.count(":") > 1 or "@" in market:
                self.counts["derived"] += 1  # top-n and conflated views are judged elsewhere
            else:
                self._compare(spelled(market), seen)

    def _compare(self, market, seen):
        expected = self._markets.get(market)
        if expected is None:
            self._mistake("unknown_markets", seen, "nothing of it was recorded")
            return
        progress = self._progress.setdefault((market, seen.kind), Progress(expected))
        {"book": self._book, "trade": self._trade, "bbo": self._quote}[seen.kind](progress, seen)

    def _book(self, progress, seen):
        """The book after this event is the recorded one at the same place."""
        rows = progress.market.books
        vseq = seen.message.get("vseq")
        if seen.starts:
            if progress.at:
                self._mistake("resets", seen, "the book started again")
            places = progress.starts(seen.hash, vseq)
        else:
            places = progress.continues(vseq)
            if vseq is not None and not places & progress.next():
                self._mistake("vseq", seen, "not the update that comes next")
        right = {place for place in places if rows[place]["hash"] == seen.hash}
        self.counts["books_checked"] += 1
        if not right:
            self._mistake("mismatches", seen, f"book {seen.hash}, top {seen.top}")
        progress.move(right or places)
        self._top(rows[max(progress.at)] if progress.at else None, seen)

    def _top(self, row, seen):
        """The top equals the venue's own quote wherever the recording's does."""
        if row is None or row["quoted"] is None:
            return
        self.counts["tops_checked"] += 1
        self.counts["tops_equal"] += row["quoted"] == seen.top
        self.counts["tops_expected"] += row["quoted"] == row["top"]

    def _trade(self, progress, seen):
        market, message = progress.market, seen.message
        found = {key: message.get(key) for key in ("id", "price", "size", "side")}
        self.counts["trades"] += 1
        if not progress.at and market.last_match == found:
            return
        at = progress.index("id", market.trades).get(found["id"])
        if at is None or market.trades[at] != found:
            self._mistake("wrong_trades", seen, f"{found}")
        if at is None:
            return
        last = max(progress.at) if progress.at else at - 1
        if at <= last:
            self._mistake("trade_order", seen, f"trade {at} after {last}")
        elif at > last + 1:
            self._mistake("trades_missing", seen, f"{at - last - 1} before it")
        progress.move({at})

    def _quote(self, progress, seen):
        vseq, message = seen.message.get("vseq"), seen.message
        at = progress.index("vseq", progress.market.quotes).get(vseq)
        self.counts["quotes"] += 1
        if not progress.market.quotes:
            return  # the venue has no quote stream: the book's top stands for it
        top = [":".join(message[side]) if message.get(side) else None for side in ("bid", "ask")]
        if at is None or progress.market.quotes[at]["top"] != top:
            self._mistake("wrong_quotes", seen, f"{top}")
        if at is None:
            return
        if progress.at and at <= max(progress.at) and not message.get("snapshot"):
            self._mistake("quote_order", seen, f"quote {at} after {max(progress.at)}")
        progress.move({at})

    def _mistake(self, name, seen, why):
        self.client.mistake(name, seen.channel, seen.message, why)

    def verdict(self, required=()):
        """Everything counted, and whether it is good."""
        mistakes = self.client.mistakes
        if not self._partial:
            for (market, kind), progress in self._progress.items():
                self._complete(market, kind, progress)
            self._silent_channels()
        for market in required:
            if not any(spelled(market) == seen for seen, _ in self._progress):
                mistakes["markets_missing"] += 1
        if not self.counts["books_checked"] + self.counts["trades"] + self.counts["quotes"]:
            mistakes["nothing_to_judge"] += 1
        missed = self.counts["tops_expected"] - self.counts["tops_equal"]
        if missed > 0:
            mistakes["tops_wrong"] += missed
        forgiven = ANNOUNCED if self._allow_resync else ()
        failures = {name: count for name, count in mistakes.items() if name not in forgiven}
        always = ("mismatches", "chain", "gaps", "venue_gaps", "resets", "crc", "trades_missing")
        return {
            "ok": not failures,
            **{name: self.counts[name] for name in sorted(self.counts)},
            **{name: mistakes[name] for name in always},
            **failures,
            "checksums": self.client.counts["checksums"],
            "channels": len(self.client.channels),
            "messages": dict(self.client.counts),
            "markets": {f"{kind}:{market}": progress.span() for (market, kind), progress in
                        self._progress.items()},
            "notes": self.client.notes,
        }

    def _complete(self, market, kind, progress):
        """A whole history holds every book and every trade, from the first to the last."""
        rows = {"book": progress.market.books, "trade": progress.market.trades}.get(kind)
        if rows is None or not progress.at:
            return
        missing = len(rows) - 1 - max(progress.at) + progress.first
        if missing:
            self.client.mistakes["books_missing" if kind == "book" else "trades_missing"] += missing
            self.client.notes.append(f"{kind}:{market}: {missing} missing at the ends")

    def _silent_channels(self):
        """A channel that was acknowledged and never spoke has lost all that was recorded."""
        for name in self.client.channels:
            kind, _, market = name.partition(":")
            expected = self._markets.get(spelled(market))
            if expected is None or (spelled(market), kind) in self._progress:
                continue
            rows = {"book": expected.books, "trade": expected.trades}.get(kind)
            if rows:
                self.client.mistakes[f"{kind}s_missing"] += len(rows)
                self.client.notes.append(f"{name}: acknowledged, then silent")


class Progress:
    """How far one channel has got in what was recorded.

    A book without update ids may look the same at several places; `at` holds every place it can
    be, and each further event narrows it.
    """

    def __init__(self, market):
        self.market = market
        self.at = set()
        self.first = None
        self._indexes = {}

    def starts(self, book_hash, vseq):
        """Where a book may be that starts here."""
        rows = self.market.books
        if vseq is not None:
            at = self.index("vseq", rows).get(vseq)
            return set() if at is None else {at}
        places = {at for at, row in enumerate(rows) if row["hash"] == book_hash}
        later = {at for at in places if self.at and at >= min(self.at)}
        return {0} if 0 in places and not self.at else later or places

    def next(self):
        """The places right after where it is."""
        return {at + 1 for at in self.at if at + 1 < len(self.market.books)}

    def continues(self, vseq):
        """Where a book may be after one more event: what the venue calls it, else the next."""
        if vseq is None:
            return self.next()
        at = self.index("vseq", self.market.books).get(vseq)
        return set() if at is None else {at}

    def move(self, places):
        if places:
            self.first = min(places) if self.first is None else self.first
            self.at = places

    def index(self, key, rows):
        """Places by key; of equal keys the last."""
        if key not in self._indexes:
            self._indexes[key] = {row[key]: at for at, row in enumerate(rows)}
        return self._indexes[key]

    def span(self):
        return [self.first, max(self.at)] if self.at else []


def spelled(market):
    """`binance:BTC-USDT` and the venue's own `binance:BTCUSDT` are one market."""
    return market.replace("-", "")


def read_history(path):
    """The messages of a history; a line that is no JSON cannot be judged."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"judge: {path}:{number}: {error}") from error


def main():
    parser = argparse.ArgumentParser(description="judge a client's history by the recordings")
    parser.add_argument("expected", nargs="+")
    parser.add_argument("--history", required=True)
    parser.add_argument("--depth", type=int, default=replay.DEPTH)
    parser.add_argument("--partial", action="store_true")
    parser.add_argument("--allow-resync", action="store_true")
    parser.add_argument("--market", action="append", default=[])
    options = parser.parse_args()
    markets = replay.load(options.expected, options.depth)
    judge = Judge(markets, options.partial, options.allow_resync)
    for message in read_history(options.history):
        judge.receive(message)
    verdict = judge.verdict(options.market)
    print(json.dumps(verdict, indent=1))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, replay.RecordingError) as error:
        print(f"judge: {error}", file=sys.stderr)
        sys.exit(2)
