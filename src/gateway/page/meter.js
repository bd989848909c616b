/**
 * Figures of a connection: message and byte rates, lag, and the offset of the server's clock.
 *
 * Owns: short sliding windows. Input: sizes and stamps of messages, with the local time.
 * Output: numbers for a display. Floats are fine here: nothing of it is a price.
 */

/** A sliding window of WINDOW_BUCKETS × BUCKET_MS: two seconds, steady but quick to react. */
const BUCKET_MS = 250;
const WINDOW_BUCKETS = 8;
/** Lag samples kept for the percentiles; at most one per message, the newest win. */
const LAG_SAMPLES = 256;

/** Messages and bytes per second over the last two seconds. */
export class RateMeter {
  #messages = new Float64Array(WINDOW_BUCKETS);
  #bytes = new Float64Array(WINDOW_BUCKETS);
  #bucket = null;

  /** Counts one message of `bytes` bytes that arrived at `nowMs`. */
  count(bytes, nowMs) {
    this.#advance(nowMs);
    const slot = this.#bucket % WINDOW_BUCKETS;
    this.#messages[slot] += 1;
    this.#bytes[slot] += bytes;
  }

  /** `{messagesPerS, bytesPerS}` at `nowMs`. */
  read(nowMs) {
    this.#advance(nowMs);
    const seconds = (WINDOW_BUCKETS * BUCKET_MS) / 1_000;
    const sum = (slots) => slots.reduce((total, slot) => total + slot, 0);
    return {
      messagesPerS: sum(this.#messages) / seconds,
      bytesPerS: sum(this.#bytes) / seconds,
    };
  }

  #advance(nowMs) {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const behind = this.#bucket === null ? WINDOW_BUCKETS : bucket - this.#bucket;
    for (let step = 0; step < Math.min(behind, WINDOW_BUCKETS); step += 1) {
      const slot = (bucket - step) % WINDOW_BUCKETS;
      this.#messages[slot] = 0;
      this.#bytes[slot] = 0;
    }
    if (behind > 0) this.#bucket = bucket;
  }
}

/** Percentiles of how old messages were when they arrived, since the last read. */
export class LagMeter {
  #samples = new Float64Array(LAG_SAMPLES);
  #count = 0;
  #last = { medianMs: null, maxMs: null };

  /** Adds one lag in milliseconds; clock skew can make it negative, which means zero. */
  add(lagMs) {
    this.#samples[this.#count % LAG_SAMPLES] = Math.max(0, lagMs);
    this.#count += 1;
  }

  /** `{medianMs, maxMs}` since the last read; the former answer when nothing arrived. */
  read() {
    if (this.#count > 0) {
      const sorted = this.#samples.slice(0, Math.min(this.#count, LAG_SAMPLES)).sort();
      this.#last = { medianMs: sorted[sorted.length >> 1], maxMs: sorted[sorted.length - 1] };
      this.#count = 0;
    }
    return this.#last;
  }
}

/** Estimates how far the server's clock is ahead of ours. */
export class ClockOffset {
  /** Milliseconds to add to the local clock to get the server's. */
  offsetMs = 0;
  #roundTripMs = Infinity;

  /** A first guess from `welcome.time`: right but for the one-way delay. */
  welcome(serverUs, nowMs) {
    this.offsetMs = serverUs / 1_000 - nowMs;
    this.#roundTripMs = Infinity;
  }

  /** A better one from a ping: the shortest round trip is the most truthful. */
  pong(serverUs, sentMs, nowMs) {
    const roundTripMs = nowMs - sentMs;
    if (!Number.isFinite(serverUs) || roundTripMs > this.#roundTripMs) return;
    this.#roundTripMs = roundTripMs;
    this.offsetMs = serverUs / 1_000 - (sentMs + roundTripMs / 2);
  }

  /** The server's time in milliseconds when ours is `nowMs`. */
  serverMs(nowMs) {
    return nowMs + this.offsetMs;
  }
}
