/**
 * The state of each feed as told, and the story of how it recovered.
 *
 * Owns: the state per venue and per market, since when, and the lines for the log.
 * Input: messages of `status` channels and the status events inside market channels.
 * Output: lines `{text, kind}` and a summary per venue. Pure: the time comes in.
 */

/** Venue gaps of one market within this time are one gap, seen on several channels. */
const SAME_GAP_MS = 2_000;

/** What each venue and market is doing. */
export class Feeds {
  #venues = new Map();
  #gapsMs = new Map();

  /** Makes a venue known before it says anything. */
  know(venue, state = "live") {
    if (!this.#venues.has(venue)) {
      this.#venues.set(venue, { state, reason: null, sinceMs: null, markets: new Map() });
    }
    return this.#venues.get(venue);
  }

  /** Known venues, in order of appearance. */
  get venues() {
    return [...this.#venues.keys()];
  }

  /** Takes a message that may tell of a feed; returns a line for the log, or null. */
  take(message, channel, nowMs) {
    const name = message.symbol ? `${channel.venue} ${message.symbol}` : label(channel);
    if (message.type === "venue_gap") return this.#venueGap(name, message.reason, nowMs);
    if (message.type === "gap") {
      const lost = message.to === undefined ? "unknown many" : message.to - message.from + 1;
      const range = `${message.from}–${message.to ?? "?"}`;
      const text = `${channel.name} lost ${lost} events, ${range}${because(message.reason)}`;
      return { text, kind: "lost" };
    }
    const state = message.type === "status" ? message.state : stateOf(message.type);
    if (!state || state === "lag") return null;
    if (state === "failed_over") return bad(`${name} failed over${because(message.reason)}`);
    const symbol = message.symbol ?? channel.symbol;
    const venue = this.know(channel.venue);
    // Trades and tickers of a market share its feed: the book tells for all of them.
    if (channel.kind !== "status" && channel.kind !== "book") return null;
    const told = symbol ? market(venue, symbol) : venue;
    return this.#moved(told, name, state, message.reason ?? null, nowMs);
  }

  /** `{state, text}` for the strip: the venue's state, and the markets that are not well. */
  summary(name) {
    const venue = this.know(name);
    const sick = [...venue.markets].filter(([, { state }]) => state !== "live");
    if (venue.state !== "live" || sick.length === 0) {
      return { state: venue.state, text: venue.state + because(venue.reason) };
    }
    const parts = sick.map(([symbol, { state, reason }]) => `${symbol} ${state}${because(reason)}`);
    return { state: sick[0][1].state, text: parts.join(", ") };
  }

  /** The channels of a market lose the same stretch: it is told once. */
  #venueGap(name, reason, nowMs) {
    const text = `${name} venue gap${because(reason)}`;
    const again = nowMs - (this.#gapsMs.get(text) ?? -Infinity) < SAME_GAP_MS;
    this.#gapsMs.set(text, nowMs);
    return again ? null : bad(text);
  }

  #moved(told, name, state, reason, nowMs) {
    const former = told.state;
    const sinceMs = told.sinceMs;
    told.reason = reason;
    if (state === former) return null;
    told.state = state;
    if (state !== "live") {
      // The clock of a recovery runs from the first sign of trouble.
      if (former === "live") told.sinceMs = nowMs;
      return bad(`${name} ${former} → ${state}${because(reason)}`);
    }
    told.reason = null;
    told.sinceMs = null;
    const took = sinceMs === null ? "" : `, ${duration(nowMs - sinceMs)}`;
    return { text: `${name} ${former} → live${took}`, kind: "good" };
  }
}

/** "240 ms", "3.1 s". */
export function duration(ms) {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function market(venue, symbol) {
  if (!venue.markets.has(symbol)) {
    venue.markets.set(symbol, { state: "live", reason: null, sinceMs: null });
  }
  return venue.markets.get(symbol);
}

function label({ venue, symbol }) {
  return symbol ? `${venue} ${symbol}` : venue;
}

function stateOf(type) {
  return type === "stale" || type === "live" ? type : null;
}

function because(reason) {
  return reason ? ` (${String(reason).replaceAll("_", " ")})` : "";
}

function bad(text) {
  return { text, kind: "bad" };
}
