/**
 * `Fantail`: a client of the native protocol for browsers (and Node with an injected WebSocket).
 *
 *     import { Fantail } from "http://localhost:8080/client.js";
 *     const fantail = new Fantail();
 *     fantail.on("event", (message, channel) => console.log(channel.name, message));
 *     await fantail.connect("ws://localhost:8080/v1/stream", { token });
 *     await fantail.subscribe(["book:binance:BTC-USDT", "trade:*:BTC-USDT"]);
 *     fantail.book("book:binance:BTC-USDT").bestBid; // ["67012.01", "0.5231"]: exact strings
 *
 * Owns: which channels and patterns are held, over any number of connections. The socket's
 * life is in `connection.js`; what a message means for a channel in `channel.js`.
 *
 * Notices, for `on(name, handler)`:
 *   state    {state, code, reason, retryInMs}: connecting, live, reconnecting, closed
 *   welcome  the server's first message, at every connection
 *   event    (message, channel): every message of a channel, in order, each once
 *   hole     (channel, message): a break the server did not announce; it is being repaired
 *   resumed  {downMs, channels, replayed, lost, restarted}: everything missed has arrived;
 *            no gap if `lost` and `restarted` are 0
 *   refused  {channel, code, message}: a channel that is not, or no longer, served
 *   problem  Error: something a developer should see
 */

import { Channel, Verdict } from "./channel.js";
import { CommandError, Commands, ConnectionLost } from "./commands.js";
import { Connection } from "./connection.js";
import { LagMeter, RateMeter } from "./meter.js";
import { Resume } from "./resume.js";

/** A channel broken again within this time is not resumed but started afresh. */
const REPAIR_AGAIN_MS = 10_000;
/** Channels in one command, where the welcome names no limit. */
const CHANNELS_PER_COMMAND = 200;

export { Channel, CommandError, ConnectionLost };
export { Book } from "./book.js";

/** One connection to one Fantail server, kept alive and without gaps. */
export class Fantail {
  /** Channels held, by name. Read only. */
  channels = new Map();
  /** How often the connection was lost and taken up again. */
  reconnects = 0;
  encoding = "json";

  #options;
  #connection;
  #commands;
  #connected = null;
  #handlers = new Map();
  #patterns = new Set();
  #requests = new Set();
  #resume = null;
  #repairedMs = new WeakMap();
  #rates = new RateMeter();
  #lag = new LagMeter();

  /**
   * Options, all optional: `WebSocket` (Node 20 has none of its own), `fetch`, `now` (ms),
   * `random`, `backoff: {baseMs, maxMs}`, and `onToken({code, reason})`, asked for a fresh
   * token when the old one has expired or is about to; it may return a promise, or null.
   */
  constructor(options = {}) {
    this.#options = {
      WebSocket: globalThis.WebSocket,
      fetch: globalThis.fetch?.bind(globalThis),
      now: () => Date.now(),
      random: Math.random,
      backoff: { baseMs: 250, maxMs: 15_000 },
      onToken: null,
      ...options,
    };
    this.#commands = new Commands((text) => this.#connection.send(text));
    this.#connection = new Connection(this.#options, {
      onState: (detail) => this.#onState(detail),
      onWelcome: (welcome, nowMs, downMs) => this.#onWelcome(welcome, downMs),
      onMessage: (message, bytes, nowMs) => this.#onMessage(message, bytes, nowMs),
      onLost: () => this.#onLost(),
      onProblem: (error) => this.#notify("problem", error),
      ping: () => this.command("ping"),
      auth: (token) => this.command("auth", { token }),
    });
  }

  /** `idle`, `connecting`, `live`, `reconnecting` or `closed`. */
  get state() {
    return this.#connection.state;
  }

  /** The server's welcome, or null while there is no connection. */
  get welcome() {
    return this.#connection.welcome;
  }

  /** The WebSocket now in use, or null. Closing it by hand is a drop: the client resumes. */
  get socket() {
    return this.#connection.socket;
  }

  /** Registers a handler; returns a function that removes it. */
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(handler);
    return () => this.#handlers.get(name).delete(handler);
  }

  /** Connects and stays connected. Resolves at the first welcome, rejects when it gives up. */
  connect(url, { token = null, encoding = "json", batch = false } = {}) {
    if (encoding !== "json") throw new RangeError("this client speaks json only");
    if (this.#connected) throw new Error("one Fantail, one connection: make another for another");
    const connected = new Promise((resolve, reject) => {
      this.#connected = { resolve, reject };
    });
    connected.catch(() => {}); // who doesn't wait learns it from `state`
    const protocol = `fantail.v1.${encoding}`;
    this.#connection.start(batch ? `${url}?batch=true` : url, { protocol, token });
    return connected;
  }

  /** Closes for good. */
  close() {
    this.#connection.finish({ code: "CLOSED", reason: "closed by this client" });
  }

  /** Tries again now instead of at the end of the backoff: the network is back. */
  retryNow() {
    this.#connection.retryNow();
  }

  /**
   * Subscribes to names, patterns, or `{channel, history}`. Resolves with the server's answer
   * `{channels, errors}`, per channel; a drop in between only delays it.
   */
  subscribe(wanted) {
    const names = [];
    for (const item of [wanted].flat()) {
      const { channel: name, ...options } = typeof item === "string" ? { channel: item } : item;
      names.push(name);
      if (isPattern(name)) this.#patterns.add(name);
      else if (!this.channels.has(name)) this.channels.set(name, new Channel(name, options));
      else this.channels.get(name).history = options.history ?? null;
    }
    return this.#request(names);
  }

  /** Ends subscriptions to names or patterns. */
  async unsubscribe(unwanted) {
    const names = [unwanted].flat();
    const patterns = names.filter((name) => this.#patterns.delete(name));
    names.push(...this.#heldOnlyBy(patterns));
    for (const name of names) this.channels.delete(name);
    if (this.state !== "live") return;
    await this.command("unsubscribe", { channels: names }).catch((error) => {
      if (!(error instanceof ConnectionLost)) throw error;
    });
  }

  /** Sends any command (`list`, `ping`, …) and resolves with its reply. */
  command(op, fields = {}) {
    if (this.state !== "live") return Promise.reject(new ConnectionLost());
    return this.#commands.send(op, fields);
  }

  /** The book of a held channel. */
  book(name) {
    return this.channels.get(name)?.book ?? undefined;
  }

  /** Figures of this moment; bytes as decompressed. */
  stats() {
    const total = { events: 0, duplicates: 0, holes: 0, lost: 0, crcRight: 0, crcWrong: 0 };
    for (const { counts, checksums } of this.channels.values()) {
      for (const key of ["events", "duplicates", "holes", "lost"]) total[key] += counts[key];
      total.crcRight += checksums.right;
      total.crcWrong += checksums.wrong;
    }
    return {
      ...this.#rates.read(this.#options.now()),
      lag: this.#lag.read(),
      clockOffsetMs: this.#connection.clock.offsetMs,
      encoding: this.encoding,
      channels: this.channels.size,
      reconnects: this.reconnects,
      ...total,
    };
  }

  #onState(detail) {
    if (detail.state === "closed") {
      const error = new CommandError({ code: detail.code, message: detail.reason });
      this.#resume?.cancel();
      this.#commands.lose();
      this.#connected?.reject(error);
      for (const request of this.#requests) request.reject(error);
      this.#requests.clear();
    }
    this.#notify("state", detail);
  }

  #onLost() {
    this.#resume?.cancel();
    this.#resume = null;
    for (const channel of this.channels.values()) channel.awaitingAck = true;
    // Our own are made anew at the next welcome, from the positions of then.
    for (const request of this.#requests) request.own && this.#requests.delete(request);
    this.#commands.lose();
  }

  #onWelcome(welcome, downMs) {
    if (downMs !== null) this.reconnects += 1;
    this.#notify("welcome", welcome);
    this.#connected.resolve(welcome);
    const waiting = new Set([...this.#requests].flatMap(({ names }) => names));
    const held = [...this.channels.keys(), ...this.#patterns].filter((name) => !waiting.has(name));
    if (downMs !== null) {
      const channels = held.filter((name) => !isPattern(name));
      this.#resume = new Resume({ downMs, sinceUs: welcome.time, channels }, (report) => {
        this.#resume = null;
        this.#notify("resumed", report);
      });
    }
    for (const request of this.#requests) this.#deliver(request);
    if (held.length > 0) this.#requestOwn(held);
  }

  #onMessage(message, bytes, nowMs) {
    this.#rates.count(bytes, nowMs);
    switch (message.type) {
      case "subscribed":
        this.#onSubscribed(message);
        break;
      case "unsubscribed":
        this.#onUnsubscribed(message);
        break;
      case "error":
        this.#onError(message);
        break;
      default:
        if (message.channel) this.#onData(message, bytes, nowMs);
        else this.#commands.settle(message);
    }
  }

  #onSubscribed(reply) {
    for (const ack of reply.channels ?? []) {
      // A pattern is acknowledged by what it expands to: new names appear here.
      if (!this.channels.has(ack.channel)) this.channels.set(ack.channel, new Channel(ack.channel));
      const continued = this.channels.get(ack.channel).acknowledge(ack);
      this.#resume?.acknowledged(ack.channel, continued);
    }
    for (const error of reply.errors ?? []) this.#onRefused(error);
    this.#commands.settle(reply);
  }

  #onUnsubscribed(message) {
    if (this.#commands.settle(message)) return;
    for (const channel of message.channels ?? []) {
      this.#onRefused({ channel, code: "UNSUBSCRIBED", message: message.reason });
    }
  }

  #onError(message) {
    if (message.channel) this.#onRefused(message);
    else if (!this.#commands.settle(message)) this.#notify("problem", new CommandError(message));
  }

  #onRefused(error) {
    const channel = this.channels.get(error.channel);
    this.#resume?.acknowledged(error.channel, false);
    if (channel && error.code === "POSITION_UNKNOWN") {
      this.#notify("hole", channel, error);
      channel.forget();
      this.#resubscribe(channel);
      return;
    }
    this.channels.delete(error.channel);
    this.#patterns.delete(error.channel);
    this.#notify("refused", error);
  }

  #onData(message, bytes, nowMs) {
    const channel = this.channels.get(message.channel);
    if (!channel || channel.awaitingAck) return;
    channel.counts.bytes += bytes;
    if (message.type !== "batch") {
      this.#take(channel, message, nowMs);
      return;
    }
    for (const event of message.events) {
      if (channel.awaitingAck) return; // broken within this batch: the rest comes again
      event.channel = channel.name;
      this.#take(channel, event, nowMs);
    }
  }

  #take(channel, message, nowMs) {
    const verdict = channel.take(message);
    if (verdict === Verdict.DUPLICATE) return;
    if (verdict === Verdict.HOLE || verdict === Verdict.BAD_CHECKSUM) {
      this.#repair(channel, message, verdict, nowMs);
      return;
    }
    this.#resume?.took(message);
    // Only what was published since we are here says how far behind we are.
    if (message.prev !== undefined && !message.snapshot && message.tx >= this.welcome.time) {
      channel.lagMs = Math.max(0, this.#connection.clock.serverMs(nowMs) - message.rx / 1_000);
      this.#lag.add(channel.lagMs);
    }
    this.#notify("event", message, channel);
  }

  /** A hole is resumed from the last good position; a wrong book needs a new snapshot. */
  #repair(channel, message, verdict, nowMs) {
    const again = nowMs - (this.#repairedMs.get(channel) ?? -Infinity) < REPAIR_AGAIN_MS;
    this.#repairedMs.set(channel, nowMs);
    channel.synced = false;
    this.#notify("hole", channel, message);
    if (again || verdict === Verdict.BAD_CHECKSUM) channel.forget();
    this.#resubscribe(channel);
  }

  #resubscribe(channel) {
    channel.awaitingAck = true;
    this.command("unsubscribe", { channels: [channel.name] }).catch(() => {});
    this.#requestOwn([channel.name]);
  }

  /** A subscription delivered as soon as, and as often as, it takes. */
  #request(names, own = false) {
    return new Promise((resolve, reject) => {
      const request = { names, own, resolve, reject };
      this.#requests.add(request);
      if (this.state === "live") this.#deliver(request);
    });
  }

  #requestOwn(names) {
    this.#request(names, true).catch((error) => {
      if (this.state !== "closed") this.#notify("problem", error);
    });
  }

  async #deliver(request) {
    const answer = { channels: [], errors: [] };
    const size = this.welcome.limits?.channels_per_command ?? CHANNELS_PER_COMMAND;
    try {
      for (let start = 0; start < request.names.length; start += size) {
        const names = request.names.slice(start, start + size);
        const items = names.map((name) => this.#item(name)).filter(Boolean);
        if (items.length === 0) continue;
        const reply = await this.#commands.send("subscribe", { channels: items });
        answer.channels.push(...(reply.channels ?? []));
        answer.errors.push(...(reply.errors ?? []));
      }
      this.#requests.delete(request);
      request.resolve(answer);
    } catch (error) {
      if (error instanceof ConnectionLost) return; // delivered again after the next welcome
      this.#requests.delete(request);
      request.reject(error);
    }
  }

  #item(name) {
    if (this.#patterns.has(name)) return name;
    const channel = this.channels.get(name);
    if (!channel) return null; // unsubscribed or refused meanwhile
    return channel.awaitingAck ? channel.item() : name;
  }

  #heldOnlyBy(gone) {
    const kept = [...this.#patterns];
    const held = (name, patterns) => patterns.some((pattern) => matches(name, pattern));
    return [...this.channels.keys()].filter((name) => held(name, gone) && !held(name, kept));
  }

  #notify(name, ...args) {
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        handler(...args);
      } catch (error) {
        // A dashboard's mistake must not cost the stream its place.
        console.error(error);
      }
    }
  }
}

const isPattern = (name) => name.includes("*");

/** `*` stands for a whole segment; kind, parameter and interval are exact. */
function matches(name, pattern) {
  const segments = name.split(/[:@]/);
  const wanted = pattern.split(/[:@]/);
  return (
    segments.length === wanted.length &&
    wanted.every((segment, index) => segment === "*" || segment === segments[index])
  );
}
