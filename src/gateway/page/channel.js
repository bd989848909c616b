/**
 * What a client holds about one channel: its position, its book, the state of its feed.
 *
 * Owns: the verdict on each message (continue, duplicate, hole, wrong checksum) and what an
 * acknowledgement means for the position. Input: messages of this channel, in order.
 * Output: verdicts; the fields below. Pure: no socket, no clock, no timer.
 * It deliberately repairs nothing: `client.js` resubscribes when a verdict asks for it.
 */

import { Book } from "./book.js";

/** What a feed can be; other words of `status` are news, not states. */
const FEED_STATES = new Set(["live", "stale", "resync", "down"]);

/** What became of a message. */
export const Verdict = Object.freeze({
  /** In order, applied: show it. */
  EVENT: "event",
  /** Already known, or of an older epoch: dropped. */
  DUPLICATE: "duplicate",
  /** `prev` is ahead of us: something is missing and the server didn't say so. */
  HOLE: "hole",
  /** The book no longer equals the server's. */
  BAD_CHECKSUM: "bad_checksum",
});

/** One channel of a client. */
export class Channel {
  /** `options.history` is sent with the first subscription, as long as no position is known. */
  constructor(name, options = {}) {
    const [kind, venue, symbol] = name.split("@")[0].split(":");
    this.name = name;
    this.kind = kind;
    this.venue = venue;
    this.symbol = symbol ?? null;
    this.history = options.history ?? null;
    /** Position: epoch and seq of the last message taken, and its `rx`. */
    this.epoch = null;
    this.seq = null;
    this.rx = null;
    /** The exact book (kind `book`), and whether it may be trusted right now. */
    this.book = kind === "book" ? new Book() : null;
    this.synced = false;
    /** The feed behind it, as the server last said: live, stale, resync, down. */
    this.feed = { state: "live", reason: null };
    /** The newest message of kinds that are values (ticker, bbo, candle, …). */
    this.last = null;
    /** No data counts before the acknowledgement of the subscription now under way. */
    this.awaitingAck = true;
    this.counts = { messages: 0, bytes: 0, events: 0, duplicates: 0, holes: 0, lost: 0 };
    this.checksums = { right: 0, wrong: 0 };
    /** How old the newest event was when it arrived, in milliseconds. */
    this.lagMs = null;
  }

  /** The `from` sent with the subscription under way, if any. */
  #asked = null;
  /** An unpositioned `stale` (a dead ingest) ends with the next positioned event. */
  #ingestSilent = false;

  /** What to put into a `subscribe` command: a name, or an object with `from` or `history`. */
  item() {
    this.awaitingAck = true;
    this.#asked = null;
    if (this.epoch !== null && this.seq !== null) {
      this.#asked = { epoch: this.epoch, seq: this.seq };
      if (this.rx !== null) this.#asked.rx = this.rx;
      return { channel: this.name, from: this.#asked };
    }
    return this.history ? { channel: this.name, history: this.history } : this.name;
  }

  /** Forgets the position: the next subscription starts afresh, with a new snapshot. */
  forget() {
    this.epoch = null;
    this.seq = null;
    this.rx = null;
    this.synced = false;
  }

  /**
   * Takes the acknowledgement of the subscription under way; repeated ones change nothing.
   * False when a position was asked for and the channel starts at another one instead.
   */
  acknowledge({ epoch = null, seq = null, resumed = false }) {
    if (!this.awaitingAck) return true;
    this.awaitingAck = false;
    const continues = resumed || (epoch === this.epoch && seq === this.seq);
    if (this.#asked && continues) return true;
    // Not resumed: what follows continues the server's position (a `gap` tells what is lost).
    this.epoch = epoch;
    this.seq = seq;
    this.synced = false;
    return this.#asked === null;
  }

  /** Judges one message and, if it is in order, applies it. */
  take(message) {
    this.counts.messages += 1;
    switch (message.type) {
      case "gap":
        return this.#takeGap(message);
      case "snapshot":
        return this.#takeSnapshot(message);
      case "stale":
      case "live":
        if (message.seq === undefined) return this.#takeUnpositioned(message);
        return this.#takeEvent(message);
      default:
        return message.snapshot ? this.#takeLastValue(message) : this.#takeEvent(message);
    }
  }

  /** Events that had a position but cannot be delivered: lost, and said so. */
  #takeGap({ epoch, from, to }) {
    // Without `to` nobody knows any more where that epoch ended: at least one was lost.
    const last = to ?? from;
    if (epoch === undefined || epoch === this.epoch) this.seq = Math.max(this.seq ?? 0, last);
    this.counts.lost += last - from + 1;
    this.synced = false;
    return Verdict.EVENT;
  }

  #takeSnapshot(message) {
    if (message.seq === null || message.seq === undefined) {
      // The server's own book is not in sync yet: the real one follows.
      this.synced = false;
      return Verdict.EVENT;
    }
    if (this.epoch !== null && message.epoch < this.epoch) return this.#duplicate();
    // A snapshot that is an event (resync) has a `prev` and must continue the chain.
    if (message.prev !== undefined) return this.#takeEvent(message);
    this.#moveTo(message);
    return this.#loadBook(message);
  }

  /** A last value is a state, not an event: it may repeat the position we already have. */
  #takeLastValue(message) {
    const newEpoch = message.epoch !== undefined && message.epoch !== this.epoch;
    if (newEpoch || this.seq === null || message.seq > this.seq) this.#moveTo(message);
    this.last = message;
    this.#takeFeedState(message);
    return Verdict.EVENT;
  }

  #takeUnpositioned(message) {
    this.#ingestSilent = message.type === "stale";
    this.feed = { state: message.type, reason: message.reason ?? null };
    return Verdict.EVENT;
  }

  #takeEvent(message) {
    const order = this.#order(message);
    if (order === Verdict.DUPLICATE) return this.#duplicate();
    if (order === Verdict.HOLE) {
      this.counts.holes += 1;
      return order;
    }
    this.#moveTo(message);
    this.counts.events += message.n ?? 1;
    if (this.#ingestSilent) {
      this.#ingestSilent = false;
      this.feed = { state: "live", reason: null };
    }
    this.#takeFeedState(message);
    if (message.type === "venue_gap") this.synced = false;
    if (message.type === "book" || message.type === "snapshot") return this.#takeLevels(message);
    if (message.type === this.kind) this.last = message;
    return Verdict.EVENT;
  }

  /** The `prev` chain: accept if prev ≤ last < seq; a higher epoch starts a new chain. */
  #order({ epoch, seq, prev }) {
    if (epoch !== undefined && this.epoch !== null && epoch !== this.epoch) {
      if (epoch < this.epoch) return Verdict.DUPLICATE;
      return prev > 0 ? Verdict.HOLE : Verdict.EVENT;
    }
    if (this.seq === null) return Verdict.EVENT;
    if (seq <= this.seq) return Verdict.DUPLICATE;
    return prev > this.seq ? Verdict.HOLE : Verdict.EVENT;
  }

  #takeFeedState(message) {
    const { type } = message;
    if (type === "status") {
      if (!FEED_STATES.has(message.state)) return; // news such as lag or failed_over
      this.feed = { state: message.state, reason: message.reason ?? null };
    } else if (type === "stale" || type === "live") {
      this.feed = { state: type, reason: message.reason ?? null };
    }
  }

  #takeLevels(message) {
    if (!this.book) return Verdict.EVENT;
    if (message.reset || message.type === "snapshot") return this.#loadBook(message);
    this.book.apply(message.bids, message.asks);
    // A book without its base (before the snapshot, after a gap) has no checksum to keep.
    return this.synced ? this.#check(message) : Verdict.EVENT;
  }

  #loadBook(message) {
    if (!this.book) return Verdict.EVENT;
    this.book.load(message.bids, message.asks);
    this.synced = true;
    return this.#check(message);
  }

  #check({ crc }) {
    if (crc === undefined) return Verdict.EVENT;
    if (this.book.checksum() === crc) {
      this.checksums.right += 1;
      return Verdict.EVENT;
    }
    this.checksums.wrong += 1;
    this.synced = false;
    return Verdict.BAD_CHECKSUM;
  }

  #moveTo({ epoch, seq, rx }) {
    if (epoch !== undefined) this.epoch = epoch;
    this.seq = seq;
    if (rx !== undefined) this.rx = rx;
  }

  #duplicate() {
    this.counts.duplicates += 1;
    return Verdict.DUPLICATE;
  }
}
