#!/usr/bin/env python3
"""Proves that the oracle can be trusted: right histories pass, each planted mistake is caught.

    selftest.py

A small market is invented from a seed, written as a recording in the venue's own shape, and a
correct server for it is played; then its history is broken in every way we fear.
Where the real recordings are present (FANTAIL_RECORDINGS, default ../shared/recordings beside
the repository), their published counts are checked too; with `recordings` in FANTAIL_REQUIRE
they must be present. Prints what it checked; exits 1 on the first failure.
"""

import copy
import json
import os
import pathlib
import random
import sys
import tempfile
import time
import zlib

import book as books
import invented
import judge
import mutations
import replay

SEED = 20240808
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def main():
    print(f"selftest: seed {SEED}")
    with tempfile.TemporaryDirectory() as folder:
        for venue, tape in (("binance", invented.binance_tape), ("coinbase", invented.coinbase_tape)):
            recording = pathlib.Path(folder) / f"{venue}.txt"
            recording.write_text("\n".join(tape(random.Random(SEED))), encoding="utf-8")
            check_venue(venue, recording)
    check_book()
    check_recordings()
    print("selftest: ok")


def check_venue(venue, recording):
    """A right history passes whole, batched, and late; every mutation fails as it should."""
    markets = replay.replay([recording], invented.DEPTH)
    history = invented.serve(markets, recording)
    expect(venue, markets, history, None)
    expect(f"{venue}, batched", markets, invented.batched(history), None)
    expect(f"{venue}, written and read", invented.written(markets), history, None)
    late = invented.joined_late(history)
    expect(f"{venue}, late but said to be whole", markets, late, "books_missing")
    expect(f"{venue}, late", markets, late, None, partial=True)
    for name, (mutate, failure) in mutations.MUTATIONS.items():
        if venue == "coinbase" and name in mutations.BINANCE_ONLY:
            continue
        broken = mutate(copy.deepcopy(history))
        assert broken != history, f"{name} changed nothing"
        expect(f"{venue}, {name}", markets, broken, failure)
    print(f"selftest: {venue}: planted mistakes are caught")


def expect(name, markets, history, failure, **options):
    """The verdict on a history: `failure` is the count that must be raised, or None for a pass."""
    judging = judge.Judge(markets, **options)
    for message in history:
        judging.receive(message)
    verdict = judging.verdict()
    shown = json.dumps(verdict, indent=1)
    assert verdict["ok"] == (failure is None), f"{name}: {shown}"
    assert failure is None or verdict.get(failure), f"{name}: no {failure} in {shown}"


def check_book():
    """Spelling, and the checksum against a value worked out by hand."""
    for text, wanted in (("61837.63000000", "61837.63"), ("0.00000000", "0"), ("100", "100"),
                         ("1E-8", "0.00000001"), ("0.10", "0.1")):
        assert books.canonical(text) == wanted, text
    book = books.Book()
    book.apply([["0.5", "2"], ["0.4", "0.010"]], [["0.6", "1.5"]])
    assert book.checksum() == zlib.crc32(b"6" + b"15" + b"5" + b"2" + b"4" + b"1")
    assert book.top() == ["0.5:2", "0.6:1.5"] and not book.crossed()


# market: (books with the snapshot, trades, quotes, tops equal to the quote), as their README says.
BTCUSDT = {"binance:BTCUSDT": (6494, 19904, 73174, 6491)}
CRYPTOFEED = {
    "binance:NKNUSDT": (150, 1, 74, 143),
    "binance:BLZETH": (10, 0, 1, 3),
    "binance:LRCBTC": (14, 1, 9, 13),
    "binance:RUNEEUR": (2, 0, 0, 0),
}


def check_recordings():
    folder = pathlib.Path(os.environ.get("FANTAIL_RECORDINGS", REPOSITORY / "../shared/recordings"))
    if not folder.is_dir():
        assert "recordings" not in os.environ.get("FANTAIL_REQUIRE", ""), f"required: {folder}"
        print(f"selftest: SKIPPED: no recordings at {folder}")
        return
    # A process's own time: the bound holds on a machine that does other things as well.
    started = time.process_time()
    check_counts(folder, "binance-spot/hftbacktest/*.gz", BTCUSDT)
    check_counts(folder, "binance-spot/cryptofeed/BINANCE.*", CRYPTOFEED)
    markets = check_counts(folder, "coinbase-exchange/cryptofeed/COINBASE.ws*", {})
    assert len(markets) == 5 and sum(len(m.trades) for m in markets.values()) == 72
    spent = time.process_time() - started
    assert spent < 60, f"{spent:.0f} s of processor time to replay"
    print(f"selftest: recordings replayed in {spent:.1f} s of processor time")


def check_counts(folder, pattern, wanted):
    files = sorted(folder.glob(pattern))
    assert files, f"{folder / pattern}: no such recording"
    markets = replay.replay(files)
    for name, counts in wanted.items():
        market = markets[name]
        equal = sum(row["quoted"] == row["top"] for row in market.books if row["quoted"])
        found = (len(market.books), len(market.trades), len(market.quotes), equal)
        assert found == counts, f"{name}: {found}, expected {counts}"
    crossed = {name: market.crossed for name, market in markets.items() if market.crossed}
    assert not crossed, f"crossed books: {crossed}"
    return markets


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"selftest: FAILED: {error}")
