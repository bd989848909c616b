/**
 * Tests of the client module under Node: `node --test` in this folder runs them all.
 *
 * Owns: handshake, subscriptions, books and the prev chain. Drops are in `resume.test.js`,
 * the parts without a connection in `parts.test.js`.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Book } from "./client.js";
import { BOOK, EPOCH, connected, delta, snapshot, withBook } from "./fake.test.js";

test("connects with subprotocols and keeps the token out of the URL", async () => {
  const { socket, welcomed, client } = connected({}, { token: "a.b.c", batch: true });
  assert.equal(socket.url, "ws://host/v1/stream?batch=true");
  assert.deepEqual(socket.protocols, ["fantail.v1.json", "bearer.a.b.c"]);
  assert.equal(client.state, "connecting");
  socket.welcome({ user: "alice" });
  assert.equal((await welcomed).user, "alice");
  assert.equal(client.state, "live");
  client.close();
});

test("subscribing answers per channel", async () => {
  const { client, socket, seen } = connected();
  const answer = client.subscribe([BOOK, "ticker:kraken:BTC-USDT"]);
  socket.welcome();
  const { id, channels } = socket.commands("subscribe")[0];
  assert.deepEqual(channels, [BOOK, "ticker:kraken:BTC-USDT"]);
  const error = { channel: "ticker:kraken:BTC-USDT", code: "FORBIDDEN", message: "no" };
  socket.receive({
    type: "subscribed",
    id,
    channels: [{ channel: BOOK, epoch: EPOCH, seq: 5 }],
    errors: [error],
  });
  assert.equal((await answer).errors[0].code, "FORBIDDEN");
  assert.deepEqual([...client.channels.keys()], [BOOK]);
  assert.equal(seen.refused[0][0].code, "FORBIDDEN");
  client.close();
});

test("a command's error rejects its promise only", async () => {
  const { client, socket } = connected();
  socket.welcome();
  const listed = client.command("list");
  const { id } = socket.commands("list")[0];
  socket.receive({ type: "error", id, code: "BAD_REQUEST", message: "no", details: { at: 17 } });
  await assert.rejects(listed, { code: "BAD_REQUEST", details: { at: 17 } });
  assert.equal(client.state, "live");
  client.close();
});

test("a book follows snapshot and deltas, and drops what it has seen", () => {
  const { client, socket, seen } = withBook();
  socket.receive(delta(101, [["10", "0"]]), delta(101, [["10", "7"]]), delta(102, [["9.5", "4"]]));
  assert.deepEqual(client.book(BOOK).bids, [
    ["9.5", "4"],
    ["9", "2"],
  ]);
  assert.deepEqual(
    seen.event.map(([m]) => m.seq),
    [100, 101, 102],
  );
  assert.equal(client.stats().duplicates, 1);
  client.close();
});

test("derived channels accept prev ≤ last < seq", () => {
  const { client, socket, seen } = withBook();
  socket.receive(
    delta(110, [["10", "5"]], [], { prev: 100, n: 10 }),
    delta(115, [], [], { prev: 108 }),
  );
  assert.equal(client.channels.get(BOOK).seq, 115);
  assert.equal(client.channels.get(BOOK).counts.events, 11);
  assert.equal(seen.hole.length, 0);
  client.close();
});

test("batches are taken event by event", () => {
  const { client, socket, seen } = withBook();
  const events = [delta(101, [["10", "2"]]), delta(102, [["10", "3"]])];
  for (const event of events) delete event.channel;
  socket.receive({ type: "batch", channel: BOOK, events });
  assert.deepEqual(client.book(BOOK).bestBid, ["10", "3"]);
  assert.equal(seen.event.at(-1)[0].channel, BOOK);
  client.close();
});

test("a hole is resumed from the last good position, a second one starts afresh", () => {
  const { client, socket, seen } = withBook();
  socket.receive(delta(103, [["10", "9"]]), delta(104, [["10", "8"]]));
  assert.equal(seen.hole.length, 1);
  assert.deepEqual(socket.commands("unsubscribe")[0].channels, [BOOK]);
  assert.deepEqual(socket.commands("subscribe").at(-1).channels, [
    { channel: BOOK, from: { epoch: EPOCH, seq: 100 } },
  ]);
  assert.deepEqual(client.book(BOOK).bestBid, ["10", "1"], "nothing applied meanwhile");
  socket.acknowledge({ epoch: EPOCH, seq: 100, resumed: true });
  socket.receive(delta(101, [["10", "5"]]), delta(104, []));
  assert.deepEqual(socket.commands("subscribe").at(-1).channels, [BOOK]);
  client.close();
});

test("a wrong checksum asks for a new snapshot", () => {
  const { client, socket, seen } = withBook();
  const good = new Book();
  good.load(
    [
      ["10", "5"],
      ["9", "2"],
    ],
    [["11", "3"]],
  );
  socket.receive(delta(101, [["10", "5"]], [], { crc: good.checksum() }));
  assert.deepEqual(client.channels.get(BOOK).checksums, { right: 1, wrong: 0 });
  socket.receive(delta(102, [["10", "6"]], [], { crc: good.checksum() }));
  assert.equal(seen.hole.length, 1);
  assert.equal(client.channels.get(BOOK).synced, false);
  assert.deepEqual(socket.commands("subscribe").at(-1).channels, [BOOK]);
  client.close();
});

test("venue gap, status and reset are events in the chain", () => {
  const { client, socket } = withBook();
  const channel = client.channels.get(BOOK);
  const event = (seq, fields) => ({ channel: BOOK, seq, prev: seq - 1, ...fields });
  socket.receive(event(101, { type: "venue_gap", reason: "reconnect" }));
  socket.receive(event(102, { type: "status", state: "resync", reason: "sequence" }));
  assert.deepEqual([channel.synced, channel.feed.state], [false, "resync"]);
  socket.receive(delta(103, [["8", "1"]], [["8.1", "1"]], { reset: true }));
  socket.receive(event(104, { type: "status", state: "live" }));
  assert.deepEqual([channel.synced, channel.feed.state, channel.seq], [true, "live", 104]);
  assert.deepEqual(client.book(BOOK).bids, [["8", "1"]]);
  client.close();
});

test("a gap is counted and a snapshot puts the book right", () => {
  const { client, socket, seen } = withBook();
  socket.receive({ type: "gap", channel: BOOK, from: 101, to: 150, reason: "retention" });
  assert.equal(client.channels.get(BOOK).synced, false);
  socket.receive(snapshot(150, [["7", "1"]], []), delta(151, [["7", "2"]]));
  assert.deepEqual(client.book(BOOK).bids, [["7", "2"]]);
  assert.equal(client.stats().lost, 50);
  assert.equal(seen.hole.length, 0);
  client.close();
});

test("a gap of an ended epoch may have no end", () => {
  const { client, socket, seen } = withBook();
  socket.receive({ type: "gap", channel: BOOK, epoch: EPOCH - 9, from: 5, reason: "retention" });
  socket.receive(snapshot(100, [["7", "1"]], []), delta(101, [["7", "2"]]));
  assert.deepEqual(client.book(BOOK).bids, [["7", "2"]]);
  assert.equal(client.stats().lost, 1);
  assert.equal(seen.hole.length, 0);
  client.close();
});

test("a snapshot without seq means: not in sync yet", () => {
  const { client, socket } = withBook();
  socket.receive(snapshot(null, [], []));
  assert.equal(client.channels.get(BOOK).synced, false);
  assert.equal(client.channels.get(BOOK).seq, 100);
  socket.receive(snapshot(101, [["5", "1"]], [], { prev: 100, reset: true }));
  assert.equal(client.channels.get(BOOK).synced, true);
  client.close();
});

test("a higher epoch starts a new chain, a lower one is dropped", () => {
  const { client, socket, seen } = withBook();
  const epoch = EPOCH + 9;
  socket.receive(
    delta(1, [["3", "1"]], [], { epoch, prev: 0, reset: true }),
    delta(2, [["3", "2"]]),
  );
  socket.receive(delta(500, [["1", "1"]], [], { epoch: EPOCH }));
  assert.deepEqual(client.book(BOOK).bids, [["3", "2"]]);
  assert.deepEqual([client.channels.get(BOOK).epoch, client.channels.get(BOOK).seq], [epoch, 2]);
  assert.equal(seen.hole.length, 0);
  client.close();
});

test("a silent ingest's stale has no position and ends with the next event", () => {
  const { client, socket } = withBook();
  socket.receive({ type: "stale", channel: BOOK, reason: "ingest_silent" });
  assert.equal(client.channels.get(BOOK).feed.reason, "ingest_silent");
  socket.receive(delta(101, []));
  assert.equal(client.channels.get(BOOK).feed.state, "live");
  client.close();
});

test("a last value is a state: it may stand behind the acknowledged seq", () => {
  const { client, socket, seen } = connected();
  const ticker = "ticker:binance:BTC-USDT";
  socket.welcome();
  client.subscribe(ticker).catch(() => {});
  socket.acknowledge({ epoch: EPOCH, seq: 20 });
  const value = { type: "ticker", channel: ticker, last: "1" };
  socket.receive({ ...value, epoch: EPOCH, seq: 18, prev: 17, snapshot: true });
  socket.receive({ ...value, seq: 21, prev: 20, last: "2" });
  assert.equal(seen.hole.length, 0);
  assert.equal(client.channels.get(ticker).last.last, "2");
  client.close();
});
