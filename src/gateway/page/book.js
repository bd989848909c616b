/**
 * One order book, exact: levels are canonical decimal strings, sorted, never floats.
 *
 * Owns: the two sides of a book, how a snapshot and a delta change them, and the checksum.
 * Input: the `bids` and `asks` arrays of protocol messages. Output: sorted levels.
 * It deliberately knows nothing of positions: `channel.js` decides what may be applied.
 */

import { canonical, compare, isZero } from "./decimal.js";

/** Levels of each side that the checksum covers (Kraken's rule). */
const CHECKSUM_LEVELS = 10;

/** One side of a book: levels `[price, size]`, best first. */
class Side {
  /** `order` is 1 for asks (lowest first) and -1 for bids (highest first). */
  constructor(order) {
    this.order = order;
    this.levels = [];
  }

  /** Sets the size at a price; size "0" removes the level, known or not. */
  set(price, size) {
    const index = this.#indexOf(price);
    const level = this.levels[index];
    const known = level !== undefined && level[0] === price;
    if (isZero(size)) {
      if (known) this.levels.splice(index, 1);
    } else if (known) {
      level[1] = size;
    } else {
      this.levels.splice(index, 0, [price, size]);
    }
  }

  /** Where the price is, or where it belongs. */
  #indexOf(price) {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.levels[middle][0], price) * this.order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A book as the server holds it after some seq. */
export class Book {
  #bids = new Side(-1);
  #asks = new Side(1);

  /** Bids, highest first: arrays `[price, size]` of canonical decimal strings. Read only. */
  get bids() {
    return this.#bids.levels;
  }

  /** Asks, lowest first. Read only. */
  get asks() {
    return this.#asks.levels;
  }

  /** The best bid `[price, size]`, or undefined. */
  get bestBid() {
    return this.#bids.levels[0];
  }

  /** The best ask `[price, size]`, or undefined. */
  get bestAsk() {
    return this.#asks.levels[0];
  }

  /** True when the best bid is at or above the best ask: such a book is wrong. */
  get crossed() {
    const { bestBid, bestAsk } = this;
    return Boolean(bestBid && bestAsk) && compare(bestBid[0], bestAsk[0]) >= 0;
  }

  /** Replaces everything: a snapshot, or an event with `reset: true`. */
  load(bids = [], asks = []) {
    this.#bids.levels = [];
    this.#asks.levels = [];
    this.apply(bids, asks);
  }

  /** Applies a delta: sizes are absolute, "0" removes. */
  apply(bids = [], asks = []) {
    for (const [price, size] of bids) this.#bids.set(canonical(price), canonical(size));
    for (const [price, size] of asks) this.#asks.set(canonical(price), canonical(size));
  }

  /** CRC32 of the top ten: asks low to high, then bids high to low. */
  checksum() {
    let text = "";
    for (const side of [this.asks, this.bids]) {
      for (const [price, size] of side.slice(0, CHECKSUM_LEVELS)) {
        text += checksumDigits(price) + checksumDigits(size);
      }
    }
    return crc32(text);
  }
}

/** A decimal without its point and leading zeros: "0.0510" is counted as "51". */
function checksumDigits(decimal) {
  return decimal.replace(".", "").replace(/^0+/, "");
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32 (IEEE) of an ASCII string, as an unsigned number. */
export function crc32(text) {
  let crc = 0xffffffff;
  for (let index = 0; index < text.length; index += 1) {
    crc = CRC_TABLE[(crc ^ text.charCodeAt(index)) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
