"""Everything that may go wrong between a venue and a client, as changes of a right history.

`MUTATIONS` maps a name to (a function from history to broken history, the count that the judge
must raise for it).
"""

import copy


def nth(history, kind, n, condition=lambda message: True):
    """Where the nth message of a kind is, counting only those that meet the condition."""
    return [at for at, m in enumerate(history) if m["type"] == kind and condition(m)][n]


def drop(kind, renumber=False):
    def mutate(history):
        at = nth(history, kind, 25, lambda m: kind != "book" or m["bids"] or m["asks"])
        gone = history.pop(at)
        if renumber:  # the loss is hidden: the chain looks whole
            for message in history:
                if message.get("channel") == gone["channel"] and (message["seq"] or 0) > gone["seq"]:
                    message["seq"], message["prev"] = message["seq"] - 1, message["prev"] - 1
                    message.pop("crc", None)
        return history

    return mutate


def change(kind, n, edit, condition=lambda message: True):
    def mutate(history):
        edit(history[nth(history, kind, n, condition)])
        return history

    return mutate


def swap_sizes(message):
    levels = message["bids"] + message["asks"]
    levels[0][1], levels[1][1] = levels[1][1], levels[0][1]


def two_sizes(message):
    sizes = [size for _, size in message["bids"] + message["asks"]]
    return not message.get("reset") and len(sizes) > 1 and sizes[0] != sizes[1]


def swap_sides(message):
    message["bids"], message["asks"] = message["asks"], message["bids"]


def insert(make):
    def mutate(history):
        at = nth(history, "book", 30)
        history.insert(at, make(history[at]))
        return history

    return mutate


def exchange(kind):
    """Two messages in the other's place."""

    def mutate(history):
        a, b = nth(history, kind, 20), nth(history, kind, 21)
        history[a], history[b] = history[b], history[a]
        return history

    return mutate


def with_levels(message):
    return not message.get("reset") and bool(message["bids"])


MUTATIONS = {
    "a delta dropped": (drop("book"), "chain"),
    "a delta dropped and the chain mended": (drop("book", renumber=True), "mismatches"),
    "sizes swapped": (change("book", 5, swap_sizes, two_sizes), "mismatches"),
    "sides swapped": (change("book", 5, swap_sides, with_levels), "mismatches"),
    "a price off by a cent": (
        change("book", 5, lambda m: m["bids"][0].__setitem__(0, "90.01"), with_levels),
        "mismatches",
    ),
    "a level beyond the depth": (
        change("book", 5, lambda m: m["bids"].append(["1", "1"])), "mismatches",
    ),
    "trailing zeros": (
        change("book", 5, lambda m: m["bids"][0].__setitem__(1, "1.50"), with_levels), "spelling",
    ),
    "a delta twice": (insert(copy.deepcopy), "chain"),
    "deltas out of order": (exchange("book"), "chain"),
    "a checksum wrong": (change("book", 0, lambda m: m.update(crc=1), lambda m: "crc" in m), "crc"),
    "a checksum missing": (
        change("book", 0, lambda m: m.pop("crc"), lambda m: "crc" in m), "crc_missing",
    ),
    "a crossed book": (change("book", 5, lambda m: m["bids"].append(["105", "1"])), "crossed"),
    "the book's last event missing": (
        lambda h: [m for m in h if m is not h[nth(h, "book", -1)]], "books_missing",
    ),
    "no book after its acknowledgement": (
        lambda h: [m for m in h if m["type"] not in ("book", "snapshot")], "books_missing",
    ),
    "a gap": (
        insert(lambda m: {"type": "gap", "channel": m["channel"], "from": m["seq"],
                          "to": m["prev"], "reason": "retention"}),
        "gaps",
    ),
    "a venue gap": (
        insert(lambda m: {"type": "venue_gap", "channel": m["channel"], "seq": m["seq"],
                          "prev": m["prev"], "reason": "sequence"}),
        "venue_gaps",
    ),
    "a trade missing": (drop("trade"), "chain"),
    "a trade missing and the chain mended": (drop("trade", renumber=True), "trades_missing"),
    "the last trade missing": (
        lambda h: [m for m in h if m is not h[nth(h, "trade", -1)]], "trades_missing",
    ),
    "trades out of order": (exchange("trade"), "trade_order"),
    "a trade's side turned": (
        change("trade", 3, lambda m: m.update(side="buy" if m["side"] == "sell" else "sell")),
        "wrong_trades",
    ),
    "a trade's size wrong": (change("trade", 3, lambda m: m.update(size="7")), "wrong_trades"),
    "an unknown market": (
        change("trade", 3, lambda m: m.update(channel="trade:venue:X-Y")), "unknown_markets",
    ),
    "nothing received": (lambda h: h[:1], "nothing_to_judge"),
    "a wrong vseq": (change("book", 9, lambda m: m.update(vseq=m["vseq"] + 1000)), "vseq"),
    "another event's vseq": (change("book", 9, lambda m: m.update(vseq=1000)), "vseq"),
    "a quote wrong": (change("bbo", 9, lambda m: m.update(bid=["1", "1"])), "wrong_quotes"),
    "quotes out of order": (exchange("bbo"), "quote_order"),
}
BINANCE_ONLY = {
    "a wrong vseq", "another event's vseq", "a quote wrong", "quotes out of order",
}
