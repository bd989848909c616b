/**
 * One market's panel: ticker, ladder, tape and the figures of its channels.
 *
 * Owns: the panel's DOM and the names of its three channels. Input: events of these channels
 * from the client, and the state of the connection. Output: DOM, drawn by `frame.js`.
 * It deliberately subscribes nothing by itself but says what it needs (`wanted`).
 */

import { decimalsOf, forDisplay, toScaled } from "./decimal.js";
import { byTestId, setData, setText } from "./dom.js";
import { schedule } from "./frame.js";
import { Ladder } from "./ladder.js";
import { TAPE_ROWS, Tape } from "./tape.js";

/** Decimals shown where the instrument doesn't tell its tick or lot; sizes never get more. */
const PRICE_DECIMALS = 2;
const SIZE_DECIMALS_MAX = 5;

/** A market on the page. `instrument` is a row of `GET /v1/instruments`. */
export class Market {
  #client;
  #instrument;
  #ladder;
  #tape;
  #decimals;
  #move = null;
  #lastPrice = null;
  #counted = null;
  #error = null;

  constructor(client, instrument, onClose) {
    const { venue, symbol, tick, lot } = instrument;
    this.#client = client;
    this.#instrument = instrument;
    this.#decimals = {
      price: tick ? decimalsOf(tick) : PRICE_DECIMALS,
      size: Math.min(lot ? decimalsOf(lot) : SIZE_DECIMALS_MAX, SIZE_DECIMALS_MAX),
    };
    this.names = {
      book: `book:${venue}:${symbol}`,
      trade: `trade:${venue}:${symbol}`,
      ticker: `ticker:${venue}:${symbol}`,
    };
    const template = document.querySelector("#market");
    this.root = template.content.firstElementChild.cloneNode(true);
    this.root.dataset.testid = `book-${this.names.book}`;
    this.root.dataset.channel = this.names.book;
    this.root.setAttribute("aria-label", `${symbol} on ${venue}`);
    setText(this.root.querySelector(".symbol"), symbol);
    setText(this.root.querySelector(".venue"), venue);
    const close = this.root.querySelector(".close");
    close.setAttribute("aria-label", `Remove ${symbol} on ${venue}`);
    close.addEventListener("click", onClose);
    const part = (name) => this.root.querySelector(`.${name}`);
    const where = `${symbol} on ${venue}`;
    this.#tape = new Tape(part("tape"), `Trades of ${where}`, this.#decimals);
    this.#ladder = new Ladder(part("ladder"), `Order book of ${where}`, this.#decimals, () =>
      schedule(this),
    );
  }

  /** `binance:BTC-USDT`. */
  get key() {
    return `${this.#instrument.venue}:${this.#instrument.symbol}`;
  }

  /** What to subscribe for this panel: the trades apart, with some history for the tape. */
  get wanted() {
    const { book, trade, ticker } = this.names;
    return { live: [book, ticker], tape: { channel: trade, history: TAPE_ROWS } };
  }

  /** Takes an event of one of its channels. */
  take(message) {
    if (message.type === "trade") {
      this.#tape.add(message);
      this.#priceMoved(message.price);
    }
    schedule(this);
  }

  /** The book is not served: said in the badge instead of an empty ladder. */
  refused({ channel, code }) {
    if (channel !== this.names.book) return;
    this.#error = code.toLowerCase().replaceAll("_", " ");
    schedule(this);
  }

  /** Draws everything from what the client holds. */
  draw() {
    const channel = this.#client.channels.get(this.names.book);
    const state = this.#state(channel);
    setData(this.root, { state, seq: channel?.seq, epoch: channel?.epoch });
    const badge = byTestId("market-state", this.root);
    setText(badge, this.#error ?? state);
    badge.title = channel?.feed.reason ?? "";
    if (channel) this.#ladder.draw(channel.book, channel.seq);
    this.#tape.draw();
    this.#drawTicker();
    setText(byTestId("seq", this.root), channel?.seq == null ? "–" : String(channel.seq));
  }

  /** Once a second: rates, lag and checksums of its channels. */
  drawFigures() {
    const total = { messages: 0, bytes: 0, right: 0, wrong: 0, lagMs: null };
    for (const name of Object.values(this.names)) {
      const channel = this.#client.channels.get(name);
      if (!channel) continue;
      total.messages += channel.counts.messages;
      total.bytes += channel.counts.bytes;
      total.right += channel.checksums.right;
      total.wrong += channel.checksums.wrong;
      if (channel.lagMs !== null) total.lagMs = Math.max(total.lagMs ?? 0, channel.lagMs);
    }
    const nowMs = performance.now();
    const former = this.#counted;
    this.#counted = { ...total, nowMs };
    if (!former) return;
    const perS = (now, then) => (Math.max(0, now - then) * 1_000) / (nowMs - former.nowMs);
    const show = (id, text) => setText(byTestId(id, this.root), text);
    show("rate", perS(total.messages, former.messages).toFixed(0));
    show("bytes", (perS(total.bytes, former.bytes) / 1_000).toFixed(1));
    show("lag", total.lagMs === null ? "–" : `${total.lagMs.toFixed(total.lagMs < 10 ? 1 : 0)} ms`);
    show("crc", total.wrong > 0 ? `${total.wrong} wrong` : `✓ ${total.right}`);
  }

  /** Leaves the page. */
  remove() {
    this.#ladder.remove();
    this.root.remove();
  }

  #state(channel) {
    if (this.#error) return "down";
    if (this.#client.state !== "live") return "offline";
    if (!channel) return "down";
    if (channel.feed.state !== "live") return channel.feed.state;
    return channel.synced ? "live" : "syncing";
  }

  #drawTicker() {
    const ticker = this.#client.channels.get(this.names.ticker)?.last;
    const show = (id, text) => setText(byTestId(id, this.root), text);
    const price = (text) => (text ? forDisplay(text, this.#decimals.price) : "–");
    const last = this.#lastPrice ?? ticker?.last;
    show("last", price(last));
    setData(byTestId("last", this.root), { move: this.#move });
    if (!ticker) return;
    show("high", price(ticker.high));
    show("low", price(ticker.low));
    show("volume", ticker.volume ? forDisplay(ticker.volume, 2) : "–");
    this.#drawChange(ticker, last);
  }

  /** The day's change is a ratio for the eye; it is the one number here that is not exact. */
  #drawChange({ open }, last) {
    const node = byTestId("change", this.root);
    const from = open ? Number(open) : 0;
    if (!last || from === 0) {
      setText(node, "");
      return;
    }
    const percent = ((Number(last) - from) / from) * 100;
    setText(node, `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(2)} %`);
    setData(node, { move: percent < 0 ? "down" : "up" });
  }

  #priceMoved(price) {
    const { price: decimals } = this.#decimals;
    if (this.#lastPrice !== null && price !== this.#lastPrice) {
      const up = toScaled(price, decimals) > toScaled(this.#lastPrice, decimals);
      this.#move = up ? "up" : "down";
    }
    this.#lastPrice = price;
  }
}
