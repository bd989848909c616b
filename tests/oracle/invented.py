"""A small market invented from a seed, and a correct server for it, for selftest.py.

Input: a random generator. Output: recorded lines in each venue's own shape, and the history that
a client of a faultless server would have received. Deliberately small: ten levels, sixty events.
"""

import json
import tempfile

import book as books
import client as clients
import replay

DEPTH = 10
EPOCH = 1790000000000000


def binance_tape(rng):
    """Recorded lines of one symbol: early events to drop, a snapshot, events that bridge it."""
    book, update = opening_book(rng), 1000
    lines = [stamped(0, depth_event(994, 996, [], []))]
    snapshot = {"lastUpdateId": update, "bids": listed(book.bids), "asks": listed(book.asks)}
    lines.append(f"https://venue.test/api/v3/depth?symbol=AAABBB&limit=99 -> 0.1: {dumps(snapshot)}")
    first = update - 3
    for n in range(60):
        bids, asks = changes(rng, book)
        book.apply(bids, asks)
        last = update + rng.randint(1, 4)
        lines.append(stamped(n, depth_event(first, last, bids, asks)))
        first, update = last + 1, last
        (bid, bid_size), (ask, ask_size) = (top.split(":") for top in book.top())
        quote = {"u": last, "s": "AAABBB", "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        lines.append(stamped(n, {"stream": "aaabbb@bookTicker", "data": quote}))
        trade = {"e": "trade", "s": "AAABBB", "t": 70 + n, "p": bid + "0", "q": "1.50", "m": n % 2 == 0}
        lines.append(stamped(n, {"stream": "aaabbb@trade", "data": trade}))
    return lines


def coinbase_tape(rng):
    """Recorded lines of one product."""
    book = opening_book(rng)
    lines = ["wss://venue.test <-> 0.5", 'wss://venue.test <- 0.6: {"type":"subscribe"}']
    snapshot = {"type": "snapshot", "bids": listed(book.bids), "asks": listed(book.asks)}
    lines.append(received(0, snapshot))
    lines.append(received(0, match("last_match", 69)))
    for n in range(60):
        bids, asks = changes(rng, book)
        book.apply(bids, asks)
        sides = [["buy", *level] for level in bids] + [["sell", *level] for level in asks]
        lines.append(received(n, {"type": "l2update", "changes": sides}))
        lines.append(received(n, match("match", 70 + n)))
    return lines


def opening_book(rng):
    book = books.Book()
    bids = [[f"{99 - n}.50", f"{rng.randint(1, 9)}.10"] for n in range(DEPTH + 5)]
    asks = [[f"{101 + n}.50", f"{rng.randint(1, 9)}.20"] for n in range(DEPTH + 5)]
    book.apply(bids, asks)
    return book


def changes(rng, book):
    """Absolute sizes, removals and a level nobody knew; never crosses."""
    bids, asks = [], []
    for side, levels, base, step in ((book.bids, bids, 99, -1), (book.asks, asks, 101, 1)):
        for _ in range(rng.randint(0, 3)):
            price = f"{base + step * rng.randint(0, DEPTH + 8)}.{rng.choice(['50', '25'])}"
            size = "0.00000000" if rng.random() < 0.3 and len(side) > DEPTH // 2 else None
            levels.append([price, size or f"{rng.randint(1, 999)}.{rng.randint(0, 99):02}000000"])
    return bids, asks


def depth_event(first, last, bids, asks):
    data = {"e": "depthUpdate", "s": "AAABBB", "U": first, "u": last, "b": bids, "a": asks}
    return {"stream": "aaabbb@depth@100ms", "data": data}


def match(kind, number):
    side = "buy" if number % 2 else "sell"
    return {"type": kind, "trade_id": number, "price": "99.50", "size": "0.40", "side": side}


def stamped(second, content):
    return f"{1723161254000000000 + second} {dumps(content)}"


def received(second, content):
    return f"{second}.25: {dumps({**content, 'product_id': 'AAA-BBB'})}"


def listed(side):
    return [level.split(":") for level in side.view(0)]


def dumps(content):
    return json.dumps(content, separators=(",", ":"))


# --- a correct server for it --------------------------------------------------------------------


def serve(markets, recording):
    """The history of a client that was there from the start."""
    (name, market), = markets.items()
    venue, symbol = name.split(":")
    channels = {kind: f"{kind}:{venue}:{symbol}" for kind in ("book", "trade", "bbo")}
    acks = [{"channel": name, "ch": 1, "epoch": EPOCH, "seq": 0} for name in channels.values()]
    history = [{"type": "welcome"}, {"type": "subscribed", "id": 1, "channels": acks}]
    history.append({"type": "snapshot", "channel": channels["book"], "seq": None, "bids": [], "asks": []})
    history += numbered(channels["book"], views(recording, market))
    history += numbered(channels["trade"], [{"type": "trade", **trade} for trade in market.trades])
    history += numbered(channels["bbo"], [quote_message(quote) for quote in market.quotes])
    return history


def views(recording, market):
    """Deltas of exactly the view, found by comparing each whole view with the one before."""
    before = ({}, {})
    for row, view in zip(market.books, recorded_views(recording), strict=True):
        after = tuple(dict(level.split(":") for level in side) for side in view)
        levels = [difference(old, new) for old, new in zip(before, after, strict=True)]
        message = {"type": "book", "bids": levels[0], "asks": levels[1], "view": view}
        if row["vseq"] is not None:
            message["vseq"] = row["vseq"]
        yield message
        before = after


def recorded_views(recording):
    """Every view of the recording's book, through a book that notes them."""
    noted, original = [], replay.Market.add_book

    def note(market, vseq, book, depth):
        noted.append((list(book.bids.view(DEPTH)), list(book.asks.view(DEPTH))))
        original(market, vseq, book, depth)

    replay.Market.add_book = note
    try:
        replay.replay([recording], DEPTH)
    finally:
        replay.Market.add_book = original
    return noted


def difference(old, new):
    gone = [[price, "0"] for price in old if price not in new]
    return gone + [[price, size] for price, size in new.items() if old.get(price) != size]


def numbered(channel, messages):
    """Positions, checksums where due, and the mark of an epoch's first event."""
    for seq, message in enumerate(messages, 1):
        view = message.pop("view", None)
        message = {**message, "channel": channel, "seq": seq, "prev": seq - 1}
        if seq == 1:
            message |= {"epoch": EPOCH, "reset": True}
        if view is not None and seq % 16 == 0:
            book = books.Book()
            book.apply(*([level.split(":") for level in side] for side in view))
            message["crc"] = book.checksum()
        yield message


def quote_message(quote):
    bid, ask = (side.split(":") for side in quote["top"])
    return {"type": "bbo", "vseq": quote["vseq"], "bid": bid, "ask": ask}


def batched(history):
    """The same history with every two events of a channel in one batch."""
    out = history[:3]
    for kind in ("book", "trade", "bbo"):
        events = [m for m in history[3:] if m["channel"].startswith(kind)]
        for at in range(0, len(events), 2):
            pair = [{k: v for k, v in m.items() if k != "channel"} for m in events[at : at + 2]]
            out.append({"type": "batch", "channel": events[at]["channel"], "events": pair})
    return out


def joined_late(history):
    """A client that came after the twentieth event: an acknowledgement, then a snapshot."""
    client = clients.Client()
    cut = [at for at, m in enumerate(history) if m["type"] == "book"][20]
    for message in history[:cut]:
        list(client.receive(message))
    last, book = history[cut - 1], client.channels[history[cut]["channel"]].book
    ack = {"channel": last["channel"], "epoch": EPOCH, "seq": last["seq"]}
    snapshot = {**last, "type": "snapshot", "epoch": EPOCH, "crc": book.checksum()}
    snapshot |= {"bids": listed(book.bids), "asks": listed(book.asks)}
    others = [a for a in history[1]["channels"] if a["channel"] != last["channel"]]
    return [{"type": "subscribed", "channels": [ack, *others]}, snapshot, *history[cut:]]


def written(markets):
    """The markets after a trip through the expected stream."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for market in markets.values():
            file.writelines(dumps(fact) + "\n" for fact in market.facts())
        file.flush()
        return replay.load([file.name], DEPTH)
