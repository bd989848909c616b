/**
 * Tests of the client module under Node: `node --test src/gateway/page/client.test.js`.
 *
 * Owns: a fake WebSocket whose server side is the test. No network, no dependencies; time and
 * chance are injected, waiting is for conditions.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Book, Fantail } from "./client.js";
import { crc32 } from "./book.js";
import { canonical, compare, forDisplay, fromScaled, toFixed, toScaled } from "./decimal.js";
import { Feeds } from "./feeds.js";
import { RateMeter } from "./meter.js";
import { afterClose, afterRefusal, backoffMs } from "./reconnect.js";

const BOOK = "book:binance:BTC-USDT";
const TRADE = "trade:coinbase:BTC-USD";
const EPOCH = 1_790_000_000_000_000;

/** The server's side of a connection is whoever holds the instance. */
class FakeSocket {
  static opened = [];
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.opened.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {}

  receive(...messages) {
    for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
  }

  welcome(fields = {}) {
    const limits = { channels_per_command: 200 };
    this.receive({ type: "welcome", time: EPOCH + 1_000, heartbeat_ms: 15_000, limits, ...fields });
  }

  drop(code = 1006, reason = "") {
    this.onclose({ code, reason });
  }

  commands(op) {
    return this.sent.filter((command) => command.op === op);
  }

  /** Acknowledges the newest subscribe command, each channel as `ack(name)` says. */
  acknowledge(ack) {
    const { id, channels } = this.commands("subscribe").at(-1);
    const names = channels.map((item) => item.channel ?? item);
    this.receive({ type: "subscribed", id, channels: names.map((channel) => ({ channel, ...ack })) });
  }
}

async function until(condition) {
  for (let turn = 0; turn < 2_000; turn += 1) {
    const value = condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`never: ${condition}`);
}

/** A client with a live first connection, and everything it notices. */
function connected(options = {}, connectOptions = {}) {
  FakeSocket.opened = [];
  const client = new Fantail({
    WebSocket: FakeSocket,
    fetch: async () => ({ ok: true, status: 200, headers: new Headers() }),
    random: () => 0,
    backoff: { baseMs: 1, maxMs: 2 },
    ...options,
  });
  const seen = { event: [], hole: [], resumed: [], refused: [], state: [], problem: [] };
  for (const [name, list] of Object.entries(seen)) client.on(name, (...args) => list.push(args));
  const welcomed = client.connect("ws://host/v1/stream", connectOptions);
  const [socket] = FakeSocket.opened;
  return { client, seen, socket, welcomed };
}

const next = async (count) => until(() => FakeSocket.opened[count]);
const delta = (seq, bids, asks = [], fields = {}) => ({
  type: "book", channel: BOOK, seq, prev: seq - 1, rx: EPOCH + seq, tx: EPOCH + seq, bids, asks, ...fields,
});
const trade = (seq, fields = {}) => ({
  type: "trade", channel: TRADE, seq, prev: seq - 1, rx: EPOCH + seq, tx: EPOCH + seq,
  id: `${seq}`, price: "10.5", size: "1", side: "buy", ...fields,
});
const snapshot = (seq, bids, asks, fields = {}) => ({
  type: "snapshot", channel: BOOK, epoch: EPOCH, seq, bids, asks, ...fields,
});

/** A live client whose book stands at seq 100: bids 10, 9; ask 11. */
function withBook(options) {
  const made = connected(options);
  made.socket.welcome();
  made.client.subscribe(BOOK).catch(() => {}); // tests end before the answer counts
  made.socket.acknowledge({ epoch: EPOCH, seq: 100 });
  made.socket.receive(snapshot(100, [["10", "1"], ["9", "2"]], [["11", "3"]]));
  return made;
}

test("decimals are canonical, ordered and printed without floats", () => {
  const forms = { "067.10": "67.1", "1.000": "1", ".5": "0.5", "-0.0": "0", "100": "100", "-1.50": "-1.5" };
  for (const [text, form] of Object.entries(forms)) assert.equal(canonical(text), form);
  for (const text of ["", ".", "1e5", "abc", "1.2.3"]) assert.throws(() => canonical(text));
  const sorted = ["-10", "-9.5", "0", "0.00001", "0.1", "0.15", "1", "9", "9.99", "10", "100.000000001"];
  assert.deepEqual([...sorted].reverse().sort(compare), sorted);
  assert.ok(compare("12345678901234567890.1", "12345678901234567890.2") < 0);
  assert.equal(fromScaled(toScaled("0.1", 8) + toScaled("0.2", 8), 8), "0.30000000");
  assert.equal(fromScaled(-5n, 2), "-0.05");
  assert.equal(toFixed("1.23456", 3), "1.234");
  assert.equal(forDisplay("1234567.5", 2), "1,234,567.50");
});

test("a book keeps exact levels in order", () => {
  const book = new Book();
  book.load([["9", "1"], ["10", "2"], ["9.5", "3"]], [["11.1", "1"], ["11.01", "2"]]);
  assert.deepEqual(book.bids, [["10", "2"], ["9.5", "3"], ["9", "1"]]);
  assert.deepEqual(book.asks, [["11.01", "2"], ["11.1", "1"]]);
  book.apply([["10.0", "0"], ["9.50", "4.0"], ["8", "0"]], [["10.99", "5"]]);
  assert.deepEqual(book.bids, [["9.5", "4"], ["9", "1"]]);
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
  book.load([["0.05", "1"], ["0.049", "20"]], asks);
  const text = asks.slice(0, 10).map((_, i) => canonical(`0.05${10 + i}`).slice(2).replace(/^0/, "") + "5");
  assert.equal(book.checksum(), crc32(`${text.join("")}5149` + "20"));
});

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
  socket.receive({ type: "subscribed", id, channels: [{ channel: BOOK, epoch: EPOCH, seq: 5 }], errors: [error] });
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
  assert.deepEqual(client.book(BOOK).bids, [["9.5", "4"], ["9", "2"]]);
  assert.deepEqual(seen.event.map(([m]) => m.seq), [100, 101, 102]);
  assert.equal(client.stats().duplicates, 1);
  client.close();
});

test("derived channels accept prev ≤ last < seq", () => {
  const { client, socket, seen } = withBook();
  socket.receive(delta(110, [["10", "5"]], [], { prev: 100, n: 10 }), delta(115, [], [], { prev: 108 }));
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
  good.load([["10", "5"], ["9", "2"]], [["11", "3"]]);
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
  socket.receive(delta(1, [["3", "1"]], [], { epoch, prev: 0, reset: true }), delta(2, [["3", "2"]]));
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
  client.subscribe(ticker);
  socket.acknowledge({ epoch: EPOCH, seq: 20 });
  const value = { type: "ticker", channel: ticker, last: "1" };
  socket.receive({ ...value, epoch: EPOCH, seq: 18, prev: 17, snapshot: true });
  socket.receive({ ...value, seq: 21, prev: 20, last: "2" });
  assert.equal(seen.hole.length, 0);
  assert.equal(client.channels.get(ticker).last.last, "2");
  client.close();
});

test("a drop resumes every channel from its position and reports what was missed", async () => {
  const { client, socket, seen } = withBook();
  client.subscribe({ channel: TRADE, history: 50 });
  assert.deepEqual(socket.commands("subscribe").at(-1).channels, [{ channel: TRADE, history: 50 }]);
  socket.acknowledge({ epoch: EPOCH, seq: 7 });
  socket.receive(trade(8), delta(101, [["10", "4"]]));
  socket.drop();
  assert.equal(client.state, "reconnecting");
  const second = await next(1);
  second.welcome({ time: EPOCH + 1_000_000 });
  assert.deepEqual(second.commands("subscribe")[0].channels, [
    { channel: BOOK, from: { epoch: EPOCH, seq: 101, rx: EPOCH + 101 } },
    { channel: TRADE, from: { epoch: EPOCH, seq: 8, rx: EPOCH + 8 } },
  ]);
  second.acknowledge({ epoch: EPOCH, resumed: true });
  second.receive(delta(102, [["10", "6"]]), trade(9), trade(10), trade(11, { tx: EPOCH + 2_000_000 }));
  const [report] = await until(() => seen.resumed[0]);
  assert.deepEqual({ ...report, downMs: 0 }, { downMs: 0, channels: 2, replayed: 3, lost: 0, restarted: 0 });
  assert.deepEqual(client.book(BOOK).bestBid, ["10", "6"]);
  assert.equal(client.stats().reconnects, 1);
  client.close();
});

test("messages of an abandoned socket count no more", async () => {
  const { client, socket } = withBook();
  socket.drop();
  socket.receive(delta(101, [["10", "9"]]));
  assert.deepEqual(client.book(BOOK).bestBid, ["10", "1"]);
  const second = await next(1);
  second.welcome();
  second.receive(delta(101, [["10", "9"]]));
  assert.deepEqual(client.book(BOOK).bestBid, ["10", "1"], "not acknowledged yet");
  client.close();
});

test("a channel that starts elsewhere after a drop is said to be restarted", async () => {
  const { client, socket, seen } = withBook();
  socket.drop(1012, "RESTART");
  const second = await next(1);
  second.welcome();
  second.acknowledge({ epoch: EPOCH + 5, seq: 3 });
  second.receive(snapshot(3, [["2", "2"]], [], { epoch: EPOCH + 5 }), delta(4, [["2", "3"]]));
  const [report] = await until(() => seen.resumed[0]);
  assert.equal(report.restarted, 1);
  assert.deepEqual(client.book(BOOK).bids, [["2", "3"]]);
  assert.equal(seen.hole.length, 0);
  client.close();
});

test("POSITION_UNKNOWN starts the channel afresh", () => {
  const { client, socket, seen } = withBook();
  socket.receive({ type: "error", channel: BOOK, code: "POSITION_UNKNOWN", message: "?" });
  assert.equal(seen.hole.length, 1);
  assert.deepEqual(socket.commands("subscribe").at(-1).channels, [BOOK]);
  client.close();
});

test("a subscription asked for while disconnected survives several drops", async () => {
  const { client, socket } = connected();
  const answer = client.subscribe(TRADE);
  socket.welcome();
  socket.drop();
  const second = await next(1);
  second.welcome();
  second.drop();
  const third = await next(2);
  third.welcome();
  third.acknowledge({ epoch: EPOCH, seq: 1 });
  assert.equal((await answer).channels[0].channel, TRADE);
  client.close();
});

test("patterns expand by acknowledgement and shrink with unsubscribe", async () => {
  const { client, socket } = connected();
  socket.welcome();
  client.subscribe("trade:*:BTC-USD");
  const { id } = socket.commands("subscribe")[0];
  socket.receive({ type: "subscribed", id, channels: [{ channel: TRADE, epoch: EPOCH, seq: 1 }] });
  socket.receive(trade(2));
  assert.equal(client.channels.get(TRADE).seq, 2);
  const gone = client.unsubscribe("trade:*:BTC-USD");
  const command = socket.commands("unsubscribe")[0];
  socket.receive({ type: "unsubscribed", id: command.id, channels: command.channels });
  await gone;
  assert.equal(client.channels.size, 0);
  client.close();
});

test("many channels are subscribed within the server's limit per command", async () => {
  const { client, socket } = connected();
  socket.welcome({ limits: { channels_per_command: 2 } });
  const answer = client.subscribe(["trade:a:X-Y", "trade:b:X-Y", "trade:c:X-Y"]);
  socket.acknowledge({ epoch: EPOCH, seq: 0 });
  await until(() => socket.commands("subscribe").length === 2);
  socket.acknowledge({ epoch: EPOCH, seq: 0 });
  assert.equal((await answer).channels.length, 3);
  client.close();
});

test("4403 is final, 4401 asks for a token and goes on with it", async () => {
  const forbidden = withBook();
  forbidden.socket.drop(4403, "FORBIDDEN");
  assert.equal(forbidden.client.state, "closed");
  assert.equal(forbidden.seen.state.at(-1)[0].code, "FORBIDDEN");
  const asked = [];
  const onToken = async (why) => asked.push(why) && "new.to.ken";
  const { client, socket } = withBook({ onToken });
  socket.drop(4401, "CREDENTIALS_EXPIRED");
  const second = await next(1);
  assert.deepEqual(second.protocols, ["fantail.v1.json", "bearer.new.to.ken"]);
  assert.equal(asked[0].code, "CREDENTIALS_EXPIRED");
  client.close();
  const helpless = withBook();
  helpless.socket.drop(4401);
  await until(() => helpless.client.state === "closed");
});

test("a refused handshake is explained by GET /v1/session", async () => {
  const asked = [];
  const fetch = async (url, { headers }) => {
    asked.push([url, headers.Authorization]);
    const body = { code: "ORIGIN_FORBIDDEN", message: "this origin may not" };
    return { ok: false, status: 403, headers: new Headers(), json: async () => body };
  };
  const { client, socket, welcomed } = connected({ fetch }, { token: "t.o.k" });
  socket.drop();
  await assert.rejects(welcomed, { code: "ORIGIN_FORBIDDEN" });
  assert.deepEqual(asked, [["http://host/v1/session", "Bearer t.o.k"]]);
  assert.equal(client.state, "closed");
});

test("a server that is not there is tried again", async () => {
  const fetch = async () => {
    throw new TypeError("unreachable");
  };
  const { client, socket, welcomed } = connected({ fetch });
  socket.drop();
  (await next(1)).drop();
  (await next(2)).welcome();
  await welcomed;
  client.close();
});

test("silence is asked about, then taken for a drop", async () => {
  let nowMs = 1_000;
  const { client, socket, seen } = connected({ now: () => nowMs });
  socket.welcome({ heartbeat_ms: 100 });
  nowMs += 251;
  await until(() => seen.state.some(([{ code }]) => code === "SERVER_SILENT"));
  (await next(1)).welcome();
  assert.equal(client.state, "live");
  client.close();
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
  assert.equal(backoffMs(0, backoff, () => 0), 50);
  assert.equal(backoffMs(2, backoff, () => 1), 400);
  assert.equal(backoffMs(60, backoff, () => 1), 1_000);
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
  assert.equal(told(status("resync", "sequence_gap"), 100), "binance BTC-USDT stale → resync (sequence gap)");
  assert.deepEqual(feeds.summary("binance").state, "resync");
  assert.equal(told(status("live"), 240), "binance BTC-USDT resync → live, 240 ms");
  assert.equal(told(status("live"), 250), undefined);
  assert.equal(feeds.summary("binance").text, "live");
});
