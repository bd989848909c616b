#!/usr/bin/env python3
"""The oracle: what a correct client must have seen, straight from the recordings.

    replay.py RECORDING… [--depth 1000] > expected.jsonl

Input: recordings of Binance spot (combined streams) or Coinbase Exchange. Output: JSON lines,
each one expected fact of a market:

    {"market":"binance:BTCUSDT","kind":"book","vseq":…,"hash":"…","top":[…],"quoted":[…]|null}
    {"market":"binance:BTCUSDT","kind":"trade","id":"…","price":"…","size":"…","side":"buy"}
    {"market":"binance:BTCUSDT","kind":"bbo","vseq":…,"top":["price:size","price:size"]}
    {"market":"coinbase:BAND-GBP","kind":"last_match",…}  the trade before the first, as a trade

A Binance book is keyed by the venue's update id, beginning with the snapshot's; a Coinbase book
by its ordinal (snapshot 1, each l2update one more). `hash` is book.Book.hash of the view cut to
`depth`; `quoted` is the venue's own bookTicker at that update id. Where a recording has aggTrade
and no trade, the trade's id is the aggregate's `a`.

Deliberately shares no code with the server, and trusts a recording only after checking it.
"""

import argparse
import json
import sys

import book as books
import recordings

DEPTH = 1000


class RecordingError(Exception):
    """A recording that breaks its venue's own rules: no judge can be made of it."""


class Market:
    """What one market must have shown."""

    def __init__(self, name):
        self.name = name
        self.books = []
        self.trades = []
        self.quotes = []
        # Known to the venue as the trade before the first: a client may or may not be told.
        self.last_match = None
        self.crossed = 0

    def add_book(self, vseq, book, depth):
        self.crossed += book.crossed()
        self.books.append(
            {"vseq": vseq, "hash": book.hash(depth), "top": book.top(), "quoted": None}
        )

    def facts(self):
        """The market as lines of the expected stream."""
        for kind, rows in (("book", self.books), ("trade", self.trades), ("bbo", self.quotes)):
            for row in rows:
                yield {"market": self.name, "kind": kind, **row}
        if self.last_match:
            yield {"market": self.name, "kind": "last_match", **self.last_match}


def replay(paths, depth=DEPTH):
    """Every market of the recordings by name (`binance:BTCUSDT`, `coinbase:BAND-GBP`)."""
    binance, coinbase = {}, {}
    for kind, symbol, content in recordings.read(paths):
        if kind == "snapshot":
            binance.setdefault(symbol, BinanceTape()).snapshot(content)
        elif "stream" in content:
            data = content["data"]
            binance.setdefault(data["s"], BinanceTape()).message(content["stream"], data)
        elif "product_id" in content:
            coinbase.setdefault(content["product_id"], CoinbaseTape(depth)).message(content)
    markets = {}
    for venue, tapes in (("binance", binance), ("coinbase", coinbase)):
        for symbol, tape in tapes.items():
            name = f"{venue}:{symbol}"
            markets[name] = tape.finish(name, depth)
    return markets


class BinanceTape:
    """The recorded messages of one Binance spot symbol, replayed by the documented procedure."""

    def __init__(self):
        self._snapshot = None
        self._depth = []
        self._trades = []
        self._aggregates = []
        self._quotes = []

    def snapshot(self, answer):
        # A second one would be a resync of the recorder; the first starts the book.
        self._snapshot = self._snapshot or answer

    def message(self, stream, data):
        kind = stream.split("@")[1]
        if kind == "depth":
            self._depth.append(data)
        elif kind == "trade":
            self._trades.append(trade(data["t"], data))
        elif kind == "aggTrade":
            self._aggregates.append(trade(data["a"], data))
        elif kind == "bookTicker":
            self._quotes.append({"vseq": data["u"], "top": [level(data, "b"), level(data, "a")]})

    def finish(self, name, depth):
        market = Market(name)
        market.trades = self._trades or self._aggregates
        market.quotes = self._quotes
        if self._snapshot:
            self._books(market, depth)
            quote_books(market)
        return market

    def _books(self, market, depth):
        last = self._snapshot["lastUpdateId"]
        book = books.Book()
        book.apply(self._snapshot["bids"], self._snapshot["asks"])
        market.add_book(last, book, depth)
        # Events wholly inside the snapshot are dropped; the first kept one has to bridge it.
        bridged = False
        for event in self._depth:
            if event["u"] <= last and not bridged:
                continue
            continuous = event["U"] == last + 1 if bridged else event["U"] <= last + 1
            if not continuous:
                raise RecordingError(f"{market.name}: U {event['U']} after u {last}")
            bridged, last = True, event["u"]
            book.apply(event["b"], event["a"])
            market.add_book(last, book, depth)


class CoinbaseTape:
    """The recorded messages of one Coinbase Exchange product."""

    def __init__(self, depth):
        self._depth = depth
        self._book = None
        self._market = Market("")

    def message(self, content):
        kind = content["type"]
        if kind == "snapshot":
            self._book = books.Book()
            self._book.apply(content["bids"], content["asks"])
            self._add()
        elif kind == "l2update":
            self._l2update(content)
        elif kind == "match":
            self._market.trades.append(match(content))
        elif kind == "last_match":
            self._market.last_match = match(content)

    def finish(self, name, _depth):
        self._market.name = name
        return self._market

    def _l2update(self, content):
        if self._book is None:
            raise RecordingError(f"{content['product_id']}: l2update before its snapshot")
        for side, price, size in content["changes"]:
            target = self._book.bids if side == "buy" else self._book.asks
            target.set(price, size)
        self._add()

    def _add(self):
        self._market.add_book(None, self._book, self._depth)


def trade(trade_id, data):
    """A Binance trade; `m` says that the buyer was the maker, so the taker sold."""
    side = "sell" if data["m"] else "buy"
    return trade_row(trade_id, data["p"], data["q"], side)


def match(content):
    """A Coinbase match; its `side` is the maker's."""
    side = "buy" if content["side"] == "sell" else "sell"
    return trade_row(content["trade_id"], content["price"], content["size"], side)


def trade_row(trade_id, price, size, side):
    return {
        "id": str(trade_id),
        "price": books.canonical(price),
        "size": books.canonical(size),
        "side": side,
    }


def level(data, side):
    """A bookTicker's side as `price:size`."""
    return f"{books.canonical(data[side])}:{books.canonical(data[side.upper()])}"


def quote_books(market):
    """Gives every book the newest bookTicker that is not newer than it."""
    quotes = sorted(market.quotes, key=lambda quote: quote["vseq"])
    at = 0
    # The snapshot is no event of the stream: the venue quoted nothing for it.
    for row in market.books[1:]:
        while at < len(quotes) and quotes[at]["vseq"] <= row["vseq"]:
            at += 1
        if at:
            row["quoted"] = quotes[at - 1]["top"]


def load(paths, depth=DEPTH):
    """Markets from recordings, or from a stream that this program wrote (`.jsonl`)."""
    written = [path for path in paths if str(path).endswith(".jsonl")]
    markets = replay([path for path in paths if path not in written], depth)
    for path in written:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                add_fact(markets, json.loads(line))
    return markets


def add_fact(markets, fact):
    """Puts one line of the expected stream back into its market."""
    name, kind = fact.pop("market"), fact.pop("kind")
    market = markets.setdefault(name, Market(name))
    if kind == "last_match":
        market.last_match = fact
    else:
        {"book": market.books, "trade": market.trades, "bbo": market.quotes}[kind].append(fact)


def main():
    parser = argparse.ArgumentParser(description="expected facts, straight from recordings")
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--depth", type=int, default=DEPTH, help="levels a side; 0 = all")
    options = parser.parse_args()
    for market in replay(options.recordings, options.depth).values():
        for fact in market.facts():
            print(json.dumps(fact, separators=(",", ":")))


if __name__ == "__main__":
    try:
        main()
    except RecordingError as error:
        sys.exit(f"replay: {error}")
