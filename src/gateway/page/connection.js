/**
 * One connection kept alive: handshake, welcome, watchdog, backoff, fresh tokens.
 *
 * Owns: the WebSocket of the moment and every timer around it. Input: a URL and credentials.
 * Output, through the hooks: `onState(state, detail)`, `onWelcome(welcome, nowMs, downMs)`,
 * `onMessage(message, bytes, nowMs)`, `onLost()`, `onProblem(error)`, and for the watchdog
 * `ping()` and `auth(token)`, which return promises of replies.
 * It deliberately knows no channel. What a close means is decided in `reconnect.js`.
 */

import { ClockOffset } from "./meter.js";
import { afterClose, afterRefusal, backoffMs } from "./reconnect.js";

/** Without a welcome within this time the try counts as failed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** How often silence is looked at. */
const WATCHDOG_MS = 1_000;
/** Silence, in heartbeats, after which we ask (ping), and after which we give up. */
const PING_AFTER_HEARTBEATS = 1.25;
const DEAD_AFTER_HEARTBEATS = 2.5;
/** A connection that lived this long starts its backoff from the beginning. */
const STABLE_MS = 5_000;
/** A token is renewed this long before it expires. */
const RENEW_EARLY_MS = 30_000;
/** The longest delay a browser's timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The connection of one client. */
export class Connection {
  /** `idle`, `connecting`, `live`, `reconnecting` or `closed`. */
  state = "idle";
  /** The server's welcome; null without a connection. */
  welcome = null;
  /** The WebSocket of the moment; null between tries. */
  socket = null;
  /** The estimate of the server's clock. */
  clock = new ClockOffset();

  #options;
  #hooks;
  #url;
  #protocol;
  #token;
  #goodbye = null;
  #attempt = 0;
  #openedMs = 0;
  #lostMs = null;
  #lastMessageMs = 0;
  #pinged = false;
  #looks = 0;
  #timers = {};

  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  /** Starts; from here on everything is told through the hooks. */
  start(url, { protocol, token }) {
    this.#url = url;
    this.#protocol = protocol;
    this.#token = token;
    this.#open();
  }

  /** Sends one text message. */
  send(text) {
    this.socket.send(text);
  }

  /** Ends for good. */
  finish({ code, reason }) {
    if (this.state === "closed") return;
    this.#abandon();
    this.#setState("closed", { code, reason });
  }

  /** Ends the backoff early. */
  retryNow() {
    if (this.state === "reconnecting" && !this.socket && this.#timers.retry) this.#open();
  }

  /** Measures the round trip, for the clock. */
  measure() {
    const sentMs = this.#options.now();
    this.#hooks.ping().then(
      ({ time }) => this.clock.pong(time, sentMs, this.#options.now()),
      () => {}, // lost with the connection: the watchdog or the close event handles that
    );
  }

  #open() {
    clearTimeout(this.#timers.retry);
    this.#timers.retry = null;
    this.#goodbye = null;
    this.#setState(this.#lostMs === null ? "connecting" : "reconnecting");
    const protocols = [this.#protocol];
    if (this.#token) protocols.push(`bearer.${this.#token}`);
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#url, protocols);
    } catch (error) {
      // The URL or the token has characters that no handshake can carry.
      this.finish({ code: "BAD_REQUEST", reason: error.message });
      return;
    }
    this.socket = socket;
    this.#timers.connect = setTimeout(() => this.#lost(socket, 1006, ""), CONNECT_TIMEOUT_MS);
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    socket.onerror = () => {}; // a close event follows and says as much as we may know
  }

  #receive(socket, text) {
    if (socket !== this.socket) return;
    const nowMs = this.#options.now();
    this.#lastMessageMs = nowMs;
    this.#pinged = false;
    let message;
    try {
      message = JSON.parse(text);
    } catch (error) {
      this.#hooks.onProblem(error);
      return;
    }
    if (message.type === "welcome") this.#welcomed(message, nowMs);
    else if (message.type === "goodbye") this.#goodbye = message;
    else this.#hooks.onMessage(message, text.length, nowMs);
  }

  #welcomed(welcome, nowMs) {
    this.welcome = welcome;
    this.#openedMs = nowMs;
    this.clock.welcome(welcome.time, nowMs);
    clearTimeout(this.#timers.connect);
    clearInterval(this.#timers.watchdog);
    this.#looks = 0;
    this.#timers.watchdog = setInterval(() => this.#watch(), WATCHDOG_MS);
    const downMs = this.#lostMs === null ? null : nowMs - this.#lostMs;
    this.#lostMs = null;
    this.#setState("live");
    this.#hooks.onWelcome(welcome, nowMs, downMs);
    this.#renewToken();
    this.measure();
  }

  #lost(socket, code, closeReason) {
    if (socket !== this.socket) return;
    const wasLive = this.welcome !== null;
    const goodbye = this.#goodbye;
    this.#abandon();
    if (!wasLive) {
      this.#setState("reconnecting", { code: "REFUSED", reason: "the handshake failed" });
      this.#askWhy();
      return;
    }
    const nowMs = this.#options.now();
    this.#lostMs = nowMs;
    if (nowMs - this.#openedMs >= STABLE_MS) this.#attempt = 0;
    this.#hooks.onLost();
    this.#retry(afterClose(code, closeReason, goodbye));
  }

  #abandon() {
    const { socket } = this;
    this.socket = null;
    this.welcome = null;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    socket?.close();
  }

  /** Browsers hide why a handshake was refused; the same credentials over HTTP learn it. */
  async #askWhy() {
    const url = this.#url.replace(/^ws/, "http").replace(/\/stream(\?.*)?$/, "/session");
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    let decision = afterRefusal(null);
    try {
      const answer = await this.#options.fetch(url, { headers, cache: "no-store" });
      const body = answer.ok ? null : await answer.json().catch(() => null);
      const retryAfterS = Number.parseFloat(answer.headers.get("retry-after"));
      decision = afterRefusal(answer.status, body?.error ?? body, retryAfterS);
    } catch {
      // Unreachable: the decision for that stands.
    }
    if (this.state === "reconnecting" && !this.socket) this.#retry(decision);
  }

  async #retry(decision) {
    if (!decision.retry) {
      this.finish(decision);
      return;
    }
    const { backoff, random } = this.#options;
    const delayMs = decision.delayMsMin + backoffMs(this.#attempt, backoff, random);
    this.#attempt += 1;
    this.#setState("reconnecting", { ...decision, retryInMs: delayMs });
    if (decision.newToken) {
      this.#token = await this.#freshToken(decision);
      if (!this.#token) this.finish(decision);
    }
    if (this.state !== "reconnecting" || this.socket) return;
    this.#timers.retry = setTimeout(() => this.#open(), delayMs);
  }

  async #freshToken({ code, reason }) {
    try {
      return (await this.#options.onToken?.({ code, reason })) ?? null;
    } catch (error) {
      this.#hooks.onProblem(error);
      return null;
    }
  }

  #watch() {
    const heartbeatMs = this.welcome.heartbeat_ms;
    const silentMs = this.#options.now() - this.#lastMessageMs;
    if (silentMs > heartbeatMs * DEAD_AFTER_HEARTBEATS) {
      this.#lost(this.socket, 4408, "SERVER_SILENT");
      return;
    }
    this.#looks += 1;
    const silent = silentMs > heartbeatMs * PING_AFTER_HEARTBEATS && !this.#pinged;
    if (silent) this.#pinged = true;
    // The clock is measured after 1, 2, 4, 8 … seconds: the first pings compete with a page
    // that is still loading.
    if (silent || (this.#looks & (this.#looks - 1)) === 0) this.measure();
  }

  /** A token about to expire is replaced in band: the stream goes on without a reconnect. */
  #renewToken() {
    if (!this.#options.onToken || !this.welcome.expires) return;
    const leftMs = this.welcome.expires / 1_000 - this.clock.serverMs(this.#options.now());
    const delayMs = Math.min(Math.max(0, leftMs - RENEW_EARLY_MS), TIMER_MS_MAX);
    this.#timers.renew = setTimeout(async () => {
      const reason = "the token expires soon";
      const token = await this.#freshToken({ code: "TOKEN_EXPIRING", reason });
      if (!token) return;
      this.#token = token;
      if (this.state === "live") this.#hooks.auth(token).catch(this.#hooks.onProblem);
    }, delayMs);
  }

  #setState(state, detail = {}) {
    this.state = state;
    this.#hooks.onState({ state, code: null, reason: null, retryInMs: null, ...detail });
  }
}
