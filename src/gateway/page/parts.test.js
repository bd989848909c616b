/**
 * Tests of the client's pure parts: decimals, books, decisions, figures, the feeds' story.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Book, crc32 } from "./book.js";
import { canonical, compare, forDisplay, fromScaled, toFixed, toScaled } from "./decimal.js";
import { Feeds } from "./feeds.js";
import { RateMeter } from "./meter.js";
import { afterClose, afterRefusal, backoffMs } from "./reconnect.js";
import { BOOK } from "./fake.test.js";

test("decimals are canonical, ordered and printed without floats", () => {
  const forms = {
    "067.10": "67.1",
    "1.000": "1",
    ".5": "0.5",
    "-0.0": "0",
    100: "100",
    "-1.50": "-1.5",
  };
  for (const [text, form] of Object.entries(forms)) assert.equal(canonical(text), form);
  for (const text of ["", ".", "1e5", "abc", "1.2.3"]) assert.throws(() => canonical(text));
  const sorted = [
    "-10",
    "-9.5",
    "0",
    "0.00001",
    "0.1",
    "0.15",
    "1",
    "9",
    "9.99",
    "10",
    "100.000000001",
  ];
  assert.deepEqual([...sorted].reverse().sort(compare), sorted);
  assert.ok(compare("12345678901234567890.1", "12345678901234567890.2") < 0);
  assert.equal(fromScaled(toScaled("0.1", 8) + toScaled("0.2", 8), 8), "0.30000000");
  assert.equal(fromScaled(-5n, 2), "-0.05");
  assert.equal(toFixed("1.23456", 3), "1.234");
  assert.equal(forDisplay("1234567.5", 2), "1,234,567.50");
});

test("a book keeps exact levels in order", () => {
  const book = new Book();
  book.load(
    [
      ["9", "1"],
      ["10", "2"],
      ["9.5", "3"],
    ],
    [
      ["11.1", "1"],
      ["11.01", "2"],
    ],
  );
  assert.deepEqual(book.bids, [
    ["10", "2"],
    ["9.5", "3"],
    ["9", "1"],
  ]);
  assert.deepEqual(book.asks, [
    ["11.01", "2"],
    ["11.1", "1"],
  ]);
  book.apply(
    [
      ["10.0", "0"],
      ["9.50", "4.0"],
      ["8", "0"],
    ],
    [["10.99", "5"]],
  );
  assert.deepEqual(book.bids, [
    ["9.5", "4"],
    ["9", "1"],
  ]);
  assert.deepEqual(book.bestAsk, ["10.99", "5"]);
  assert.equal(book.crossed, false);
  book.apply([["10.99", "1"]]);
  assert.equal(book.crossed, true);
});

test("a book equals a naive one under random deltas", () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const book = new Book();
  const naive = new Map();
  for (let step = 0; step < 5_000; step += 1) {
    const price = canonical(fromScaled(BigInt(random(400)), 2));
    const size = String(random(3));
    book.apply([[price, size]]);
    if (size === "0") naive.delete(price);
    else naive.set(price, size);
  }
  const expected = [...naive].sort(([a], [b]) => compare(b, a));
  assert.deepEqual(book.bids, expected);
});

test("the checksum follows Kraken's rule", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  const book = new Book();
  const asks = Array.from({ length: 12 }, (_, i) => [`0.05${10 + i}`, "0.0005"]);
  book.load(
    [
      ["0.05", "1"],
      ["0.049", "20"],
    ],
    asks,
  );
  const text = asks.slice(0, 10).map(
    (_, i) =>
      canonical(`0.05${10 + i}`)
        .slice(2)
        .replace(/^0/, "") + "5",
  );
  assert.equal(book.checksum(), crc32(`${text.join("")}5149` + "20"));
});

test("closing table and backoff", () => {
  const policy = (code, goodbye) => {
    const { retry, newToken, delayMsMin } = afterClose(code, "", goodbye);
    return [retry, newToken, delayMsMin];
  };
  assert.deepEqual(policy(1006), [true, false, 0]);
  assert.deepEqual(policy(4409), [true, false, 0]);
  assert.deepEqual(policy(4429), [true, false, 2_000]);
  assert.deepEqual(policy(1012, { retry_after_ms: 700 }), [true, false, 700]);
  assert.deepEqual(policy(4401), [true, true, 0]);
  for (const code of [1002, 1003, 1007, 1008, 1009, 4403]) assert.equal(policy(code)[0], false);
  assert.equal(afterRefusal(429, null, 30).delayMsMin, 30_000);
  assert.equal(afterRefusal(503, null, Number.NaN).delayMsMin, 2_000);
  assert.equal(afterRefusal(401, { code: "TOKEN_EXPIRED" }).newToken, true);
  const backoff = { baseMs: 100, maxMs: 1_000 };
  assert.equal(
    backoffMs(0, backoff, () => 0),
    50,
  );
  assert.equal(
    backoffMs(2, backoff, () => 1),
    400,
  );
  assert.equal(
    backoffMs(60, backoff, () => 1),
    1_000,
  );
});

test("rates are of the last two seconds", () => {
  const meter = new RateMeter();
  for (let ms = 0; ms < 2_000; ms += 100) meter.count(50, ms);
  assert.deepEqual(meter.read(1_999), { messagesPerS: 10, bytesPerS: 500 });
  assert.deepEqual(meter.read(9_000), { messagesPerS: 0, bytesPerS: 0 });
});

test("the log tells how a feed recovered, from the first sign of trouble", () => {
  const feeds = new Feeds();
  const book = { kind: "book", venue: "binance", symbol: "BTC-USDT", name: BOOK };
  const status = (state, reason) => ({ type: "status", state, reason });
  const told = (message, ms) => feeds.take(message, book, ms)?.text;
  assert.equal(told(status("stale", "silent"), 0), "binance BTC-USDT live → stale (silent)");
  assert.equal(
    told(status("resync", "sequence_gap"), 100),
    "binance BTC-USDT stale → resync (sequence gap)",
  );
  assert.deepEqual(feeds.summary("binance").state, "resync");
  assert.equal(told(status("live"), 240), "binance BTC-USDT resync → live, 240 ms");
  assert.equal(told(status("live"), 250), undefined);
  assert.equal(feeds.summary("binance").text, "live");
});

test("a venue gap seen on several channels of a market is told once", () => {
  const feeds = new Feeds();
  const gap = { type: "venue_gap", reason: "reconnect" };
  const told = (kind, ms) =>
    feeds.take(gap, { kind, venue: "coinbase", symbol: "BTC-USD", name: "" }, ms)?.text;
  assert.equal(told("trade", 0), "coinbase BTC-USD venue gap (reconnect)");
  assert.equal(told("book", 5), undefined);
  assert.equal(told("book", 60_000), "coinbase BTC-USD venue gap (reconnect)");
});
