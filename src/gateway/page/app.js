/**
 * The page: live books, tapes, tickers and feeds of a few markets, over the public protocol.
 *
 * Owns: which markets are shown, and who gets which event. Input: `GET /v1/instruments` and
 * the stream, through the same `client.js` anybody may use. Output: panels in the document.
 *
 * The URL's fragment, which no browser sends to a server, may carry `token=<jwt>` and
 * `markets=binance:BTC-USDT,coinbase:BTC-USD`. `window.fantail` is the client, for the
 * console and for tests: `fantail.socket.close()` is a drop like any other.
 */

import { Fantail } from "./client.js";
import { byTestId, setText } from "./dom.js";
import { Market } from "./market.js";
import { Picker } from "./picker.js";
import { Status } from "./status.js";

/** Shown at first, and at most: more books than this nobody watches at once. */
const MARKETS_FIRST = 4;
const MARKETS_MAX = 8;
/** Of each venue, at first. */
const PER_VENUE_FIRST = 2;
const MAJORS = ["BTC", "ETH"];
const FIGURES_MS = 1_000;
const ASK_AGAIN_MS = 3_000;
const STORED_CHOICE = "fantail.markets";

const fragment = new URLSearchParams(location.hash.slice(1));
const token = fragment.get("token");
const client = new Fantail();
const status = new Status(client);
const markets = new Map();
const byChannel = new Map();
const instruments = new Map();
const picker = new Picker(MARKETS_MAX, (key, chosen) => (chosen ? show(key) : hide(key)));

window.fantail = client;
start();

async function start() {
  client.on("event", (message, channel) => byChannel.get(channel.name)?.take(message));
  client.on("hole", (channel, message) => byChannel.get(channel.name)?.take(message));
  client.on("refused", (error) => byChannel.get(error.channel)?.refused(error));
  client.on("problem", (error) => console.warn("fantail:", error));
  client.on("state", () => markets.forEach((market) => market.take({ type: "state" })));
  window.addEventListener("online", () => client.retryNow());
  setInterval(drawFigures, FIGURES_MS);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  client.connect(`${scheme}://${location.host}/v1/stream`, { token, batch: true }).catch(() => {});
  await learnInstruments();
  const venues = new Set([...instruments.values()].map(({ venue }) => venue));
  for (const venue of venues) status.know(venue);
  subscribe([...venues].map((venue) => `status:${venue}`));
  picker.fill([...instruments.values()]);
  for (const key of firstChoice()) show(key, false);
  picker.show(markets);
}

/** Asks until answered: the page may be open before the server is. */
async function learnInstruments() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (;;) {
    try {
      const answer = await fetch("/v1/instruments", { headers, cache: "no-store" });
      const body = await answer.json();
      const rows = (body.instruments ?? []).sort(inOrder);
      for (const row of rows) instruments.set(`${row.venue}:${row.symbol}`, row);
      if (instruments.size > 0) return;
      notice(body.error?.message ?? body.message ?? "No markets yet. Asking again…");
    } catch {
      notice("The server cannot be reached. Asking again…");
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

/** By venue; in a venue what most people look for first. The server promises no order. */
function inOrder(left, right) {
  const rank = ({ symbol }) => [...MAJORS, symbol.split("-")[0]].indexOf(symbol.split("-")[0]);
  return (
    left.venue.localeCompare(right.venue, "en") ||
    rank(left) - rank(right) ||
    left.symbol.localeCompare(right.symbol, "en")
  );
}

/** What the URL says, else what was chosen last time, else the first of each venue. */
function firstChoice() {
  const named = fragment.get("markets") ?? stored() ?? "";
  const known = named.split(",").filter((key) => instruments.has(key));
  if (known.length > 0) return known.slice(0, MARKETS_MAX);
  const taken = new Map();
  const first = [...instruments].filter(([, { venue }]) => {
    taken.set(venue, (taken.get(venue) ?? 0) + 1);
    return taken.get(venue) <= PER_VENUE_FIRST;
  });
  return first.slice(0, MARKETS_FIRST).map(([key]) => key);
}

function show(key, remember = true) {
  if (markets.has(key) || markets.size >= MARKETS_MAX) return;
  const market = new Market(client, instruments.get(key), () => hide(key));
  markets.set(key, market);
  for (const name of Object.values(market.names)) byChannel.set(name, market);
  byTestId("markets").append(market.root);
  const { live, tape } = market.wanted;
  subscribe(live);
  // A server that keeps no history still has trades.
  client.subscribe(tape).then(
    ({ errors }) => errors.some(({ code }) => code !== "FORBIDDEN") && subscribe(tape.channel),
    () => client.state !== "closed" && markets.get(key) === market && subscribe(tape.channel),
  );
  changed(remember);
}

function hide(key) {
  const market = markets.get(key);
  if (!market) return;
  const names = Object.values(market.names);
  markets.delete(key);
  for (const name of names) byChannel.delete(name);
  market.remove();
  client.unsubscribe(names).catch((error) => console.warn("fantail:", error));
  changed(true);
}

function changed(remember) {
  picker.show(markets);
  byTestId("notice").hidden = markets.size > 0;
  if (markets.size === 0) notice("No market chosen.");
  if (remember) store([...markets.keys()].join(","));
}

function subscribe(wanted) {
  client.subscribe(wanted).catch((error) => {
    if (client.state !== "closed") status.log(`subscribing failed: ${error.message}`, "bad");
  });
}

function drawFigures() {
  status.drawFigures();
  for (const market of markets.values()) market.drawFigures();
}

function notice(text) {
  setText(byTestId("notice"), text);
}

/** Storage may be forbidden; then the choice lives as long as the page. */
function stored() {
  try {
    return localStorage.getItem(STORED_CHOICE);
  } catch {
    return null;
  }
}

function store(choice) {
  try {
    localStorage.setItem(STORED_CHOICE, choice);
  } catch {
    // As said: not kept, and nothing depends on it.
  }
}
