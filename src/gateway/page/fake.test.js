/**
 * What the tests of the client share, no tests itself: a fake WebSocket whose server is the test.
 *
 * Owns: the fake and the makers of messages. Not served; no network, time is injected.
 */

import { Fantail } from "./client.js";

export const BOOK = "book:binance:BTC-USDT";
export const TRADE = "trade:coinbase:BTC-USD";
export const EPOCH = 1_790_000_000_000_000;

/** The server's side of a connection is whoever holds the instance. */
export class FakeSocket {
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
    this.receive({
      type: "subscribed",
      id,
      channels: names.map((channel) => ({ channel, ...ack })),
    });
  }
}

export async function until(condition) {
  for (let turn = 0; turn < 2_000; turn += 1) {
    const value = condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`never: ${condition}`);
}

/** A client with a live first connection, and everything it notices. */
export function connected(options = {}, connectOptions = {}) {
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

export const next = async (count) => until(() => FakeSocket.opened[count]);
export const delta = (seq, bids, asks = [], fields = {}) => ({
  type: "book",
  channel: BOOK,
  seq,
  prev: seq - 1,
  rx: EPOCH + seq,
  tx: EPOCH + seq,
  bids,
  asks,
  ...fields,
});
export const trade = (seq, fields = {}) => ({
  type: "trade",
  channel: TRADE,
  seq,
  prev: seq - 1,
  rx: EPOCH + seq,
  tx: EPOCH + seq,
  id: `${seq}`,
  price: "10.5",
  size: "1",
  side: "buy",
  ...fields,
});
export const snapshot = (seq, bids, asks, fields = {}) => ({
  type: "snapshot",
  channel: BOOK,
  epoch: EPOCH,
  seq,
  bids,
  asks,
  ...fields,
});

/** A live client whose book stands at seq 100: bids 10, 9; ask 11. */
export function withBook(options) {
  const made = connected(options);
  made.socket.welcome();
  made.client.subscribe(BOOK).catch(() => {}); // tests end before the answer counts
  made.socket.acknowledge({ epoch: EPOCH, seq: 100 });
  made.socket.receive(
    snapshot(
      100,
      [
        ["10", "1"],
        ["9", "2"],
      ],
      [["11", "3"]],
    ),
  );
  return made;
}
