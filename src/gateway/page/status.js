/**
 * What stands around the markets: the connection and its figures, the venues, the log.
 *
 * Owns: the header, the venue strip and the recovery log in the DOM. Input: notices of the
 * client. Output: DOM. What a feed's state means is decided in `feeds.js`.
 */

import { byTestId, clockTime, element, setData, setText } from "./dom.js";
import { duration, Feeds } from "./feeds.js";
import { schedule } from "./frame.js";

/** Lines kept in the log: an hour of a bad day. */
const LOG_LINES_MAX = 200;
/** How long "resumed" stays before the connection just reads "live". */
const RESUMED_SHOWN_MS = 8_000;

/** Everything on the page that is not a market. */
export class Status {
  #client;
  #feeds = new Feeds();
  #chips = new Map();
  #dropped = null;
  #calm;

  constructor(client) {
    this.#client = client;
    client.on("state", (detail) => this.#onState(detail));
    client.on("resumed", (report) => this.#onResumed(report));
    client.on("event", (message, channel) => this.#onEvent(message, channel));
    client.on("hole", (channel) => {
      this.log(`${channel.name} broke after seq ${channel.seq}: subscribing again`, "bad");
    });
    client.on("refused", ({ channel, code, message }) => {
      this.log(`${channel} refused: ${code}${message ? `, ${message}` : ""}`, "bad");
    });
  }

  /** Shows a venue in the strip. */
  know(venue, state) {
    this.#feeds.know(venue, state);
    schedule(this);
  }

  /** Adds a line to the log. `kind` is good, bad or lost. */
  log(text, kind) {
    const list = byTestId("log");
    const time = element("time", null, {}, [clockTime(Date.now())]);
    const what = element("span", null, {}, [text]);
    const line = element("li", null, { "data-kind": kind }, [time, what]);
    list.prepend(line);
    while (list.children.length > LOG_LINES_MAX) list.lastElementChild.remove();
  }

  /** Draws the venue strip. */
  draw() {
    for (const venue of this.#feeds.venues) {
      if (!this.#chips.has(venue)) this.#chips.set(venue, addChip(venue));
      const { chip, text } = this.#chips.get(venue);
      const summary = this.#feeds.summary(venue);
      setData(chip, { state: summary.state });
      setText(text, summary.text);
    }
  }

  /** Once a second: the connection's figures. */
  drawFigures() {
    const stats = this.#client.stats();
    const show = (id, text) => setText(byTestId(`figure-${id}`), text);
    const { medianMs, maxMs } = stats.lag;
    show("messages", stats.messagesPerS.toFixed(0));
    show("bytes", bytesText(stats.bytesPerS));
    show("lag", medianMs === null ? "–" : `${shortMs(medianMs)} / ${shortMs(maxMs)} ms`);
    show("events", stats.events.toLocaleString("en"));
    show("gaps", String(stats.lost + stats.holes));
    show("checksums", stats.crcWrong > 0 ? `${stats.crcWrong} wrong` : `${stats.crcRight} ✓`);
    show("encoding", stats.encoding);
    if (this.#client.welcome) show("node", this.#client.welcome.node ?? "–");
  }

  #onState({ state, code, reason, retryInMs }) {
    clearTimeout(this.#calm);
    if (state === "reconnecting" && this.#dropped === null) {
      this.#dropped = Date.now();
      this.log(`connection lost: ${reason}`, "bad");
    }
    if (state === "closed") this.log(`connection given up: ${reason}`, "lost");
    const soon = retryInMs > 1_500 ? `, again in ${Math.ceil(retryInMs / 1_000)} s` : "";
    const text = {
      connecting: "connecting…",
      live: "live",
      reconnecting: `reconnecting… ${reason ?? ""}${soon}`.trim(),
      closed: `closed: ${code}, ${reason}`,
    }[state];
    this.#say(state, text);
    schedule(this);
  }

  #onResumed({ downMs, replayed, lost, restarted }) {
    this.#dropped = null;
    const whole = lost === 0 && restarted === 0;
    const missed = whole ? "no gap" : `${lost} events lost, ${restarted} channels restarted`;
    this.#say("live", `resumed: ${replayed} events replayed, ${missed}`);
    byTestId("connection").dataset.replayed = replayed;
    byTestId("connection").dataset.lost = lost;
    const what = `resumed ${replayed} missed events, ${missed}`;
    this.log(`connection dropped for ${duration(downMs)}, ${what}`, whole ? "good" : "lost");
    this.#calm = setTimeout(() => this.#say("live", "live"), RESUMED_SHOWN_MS);
  }

  #onEvent(message, channel) {
    // Market data, the great mass, tells nothing of the feed.
    if (message.type === channel.kind && channel.kind !== "status") return;
    const line = this.#feeds.take(message, channel, Date.now());
    if (line) this.log(line.text, line.kind);
    schedule(this);
  }

  #say(state, text) {
    const link = byTestId("connection");
    setData(link, { state });
    setText(byTestId("connection-text"), text);
    link.title = text;
  }
}

function addChip(venue) {
  const text = element("span");
  const dot = element("i", "dot", { "aria-hidden": "true" });
  const name = element("b", null, {}, [venue]);
  const chip = element("li", null, { "data-testid": `venue-${venue}` }, [dot, name, text]);
  byTestId("venues").append(chip);
  return { chip, text };
}

function shortMs(ms) {
  return ms.toFixed(ms < 10 ? 1 : 0);
}

function bytesText(perS) {
  if (perS < 1_000) return `${perS.toFixed(0)} B`;
  if (perS < 1_000_000) return `${(perS / 1_000).toFixed(1)} kB`;
  return `${(perS / 1_000_000).toFixed(2)} MB`;
}
