/**
 * Tests of what the client does when connections drop, are refused, or fall silent.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BOOK,
  EPOCH,
  TRADE,
  connected,
  delta,
  next,
  snapshot,
  trade,
  until,
  withBook,
} from "./fake.test.js";

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
  second.receive(
    delta(102, [["10", "6"]]),
    trade(9),
    trade(10),
    trade(11, { tx: EPOCH + 2_000_000 }),
  );
  const [report] = await until(() => seen.resumed[0]);
  assert.deepEqual(
    { ...report, downMs: 0 },
    { downMs: 0, channels: 2, replayed: 3, lost: 0, restarted: 0 },
  );
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
