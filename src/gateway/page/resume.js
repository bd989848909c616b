/**
 * The account of one reconnection: what was missed, what came again, what is lost.
 *
 * Owns: the counting between a new welcome and the moment everything missed has arrived.
 * Input: acknowledgements and messages taken after the welcome. Output: one report.
 */

/** Replay counts as over when nothing old has arrived for this long after the last ack. */
const SETTLED_MS = 400;

/** One reconnection; `done(report)` is called once, unless cancelled by another drop. */
export class Resume {
  #report;
  #sinceUs;
  #waiting;
  #done;
  #timer = null;

  /** `sinceUs` is the new welcome's time: what was published before it is a replay. */
  constructor({ downMs, sinceUs, channels }, done) {
    this.#report = { downMs, channels: channels.length, replayed: 0, lost: 0, restarted: 0 };
    this.#sinceUs = sinceUs;
    this.#waiting = new Set(channels);
    this.#done = done;
    this.#settle();
  }

  /** The channel answered: `continued` unless it had to start again at another position. */
  acknowledged(name, continued) {
    if (!this.#waiting.delete(name)) return;
    if (!continued) this.#report.restarted += 1;
    this.#settle();
  }

  /** A message was taken in order. */
  took(message) {
    if (message.type === "gap") {
      this.#report.lost += (message.to ?? message.from) - message.from + 1;
      this.#settle();
    } else if (message.tx < this.#sinceUs && message.prev !== undefined && !message.snapshot) {
      this.#report.replayed += message.n ?? 1;
      this.#settle();
    }
  }

  /** Another drop: there will be another account. */
  cancel() {
    clearTimeout(this.#timer);
  }

  #settle() {
    clearTimeout(this.#timer);
    if (this.#waiting.size > 0) return;
    this.#timer = setTimeout(() => this.#done(this.#report), SETTLED_MS);
  }
}
