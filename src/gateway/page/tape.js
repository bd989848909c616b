/**
 * The trade tape of one market: the newest trades, newest first.
 *
 * Owns: the last few trades and their rows, made once and reused. Input: `trade` events.
 * Output: DOM. It deliberately keeps no more than it shows.
 */

import { forDisplay, toFixed } from "./decimal.js";
import { clockTime, element, setData, setText } from "./dom.js";

/** Rows made; the panel shows as many as fit. */
export const TAPE_ROWS = 12;

/** The tape inside a market's panel. */
export class Tape {
  #rows;
  #trades = [];
  #decimals;

  constructor(root, label, decimals) {
    root.setAttribute("aria-label", label);
    this.#decimals = decimals;
    this.#rows = Array.from({ length: TAPE_ROWS }, () => {
      const cells = [0, 1, 2].map(() => element("span", null, { role: "cell" }));
      const row = element("div", "row", { role: "row", "data-testid": "trade" }, cells);
      return { row, cells };
    });
    root.querySelector(".trades").append(...this.#rows.map(({ row }) => row));
  }

  /** Takes a trade; drawn with the next frame. */
  add(trade) {
    this.#trades.unshift(trade);
    if (this.#trades.length > TAPE_ROWS) this.#trades.pop();
  }

  /** Shows what was taken. */
  draw() {
    this.#rows.forEach(({ row, cells }, index) => {
      const trade = this.#trades[index];
      if (!trade || row.dataset.seq === String(trade.seq)) return;
      const { id, price, size, side, seq } = trade;
      setData(row, { id, price, size, side, seq });
      setText(cells[0], forDisplay(price, this.#decimals.price));
      setText(cells[1], toFixed(size, this.#decimals.size));
      setText(cells[2], clockTime((trade.ts ?? trade.rx) / 1_000, true));
    });
  }
}
