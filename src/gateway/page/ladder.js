/**
 * The ladder of one book: asks above, spread, bids below, with bars of cumulated depth.
 *
 * Owns: the rows and what stands in them. Rows are made once and reused; how many there are
 * follows from the height. Input: a Book and the instrument's decimals. Output: DOM.
 * Prices and sizes are printed from their strings, totals summed exactly; only bar widths
 * and basis points are floats.
 */

import { compare, forDisplay, fromScaled, toFixed, toScaled } from "./decimal.js";
import { byTestId, element, setData, setText } from "./dom.js";

/** Levels per side: fewer say nothing, more can't be read. */
const LEVELS_MIN = 5;
const LEVELS_MAX = 30;

/** The ladder inside a market's panel. */
export class Ladder {
  #root;
  #sides;
  #spread;
  #decimals;
  #levels = 0;
  #resized;

  /** `decimals` is `{price, size}`; `onResize` asks for a drawing after the height changed. */
  constructor(root, label, decimals, onResize) {
    this.#root = root;
    this.#root.setAttribute("aria-label", label);
    this.#decimals = decimals;
    this.#spread = byTestId("spread", root);
    this.#spread.append(element("span"), element("span"));
    this.#sides = ["asks", "bids"].map((name) => ({
      box: root.querySelector(`.${name}`),
      best: name === "asks" ? "best-ask" : "best-bid",
      rows: [],
    }));
    this.#resized = new ResizeObserver(() => this.#fit() && onResize());
    this.#resized.observe(this.#sides[0].box);
    this.#fit();
  }

  /** Shows the book as of `seq`. */
  draw(book, seq) {
    const [asks, bids] = [book.asks, book.bids].map((levels) => levels.slice(0, this.#levels));
    const totals = [asks, bids].map((levels) => this.#totals(levels));
    const deepest = totals.reduce((most, sums) => {
      const last = sums.at(-1) ?? 0n;
      return last > most ? last : most;
    }, 0n);
    this.#drawSide(this.#sides[0], asks, totals[0], deepest, seq);
    this.#drawSide(this.#sides[1], bids, totals[1], deepest, seq);
    this.#drawSpread(bids[0], asks[0]);
  }

  /** Stops observing. */
  remove() {
    this.#resized.disconnect();
  }

  /** Makes rows for the height there is; true if their number changed. */
  #fit() {
    const style = getComputedStyle(this.#root);
    const rowPx = Number.parseFloat(style.getPropertyValue("--row")) || 19;
    const fitting = Math.floor(this.#sides[0].box.clientHeight / rowPx);
    const levels = Math.max(LEVELS_MIN, Math.min(LEVELS_MAX, fitting));
    if (levels === this.#levels) return false;
    this.#levels = levels;
    for (const side of this.#sides) {
      while (side.rows.length < levels) side.rows.push(this.#addRow(side));
      for (const row of side.rows.splice(levels)) row.root.remove();
    }
    return true;
  }

  #addRow({ box, best, rows }) {
    const cells = [0, 1, 2].map(() => element("span", null, { role: "cell" }));
    const bar = element("i", "bar", { "aria-hidden": "true" });
    const testId = rows.length === 0 ? best : "level";
    const root = element("div", "row", { role: "row", "data-testid": testId }, [bar, ...cells]);
    box.append(root);
    return { root, bar, cells, share: null };
  }

  #totals(levels) {
    let sum = 0n;
    return levels.map(([, size]) => (sum += toScaled(size, this.#decimals.size)));
  }

  #drawSide({ rows, best }, levels, totals, deepest, seq) {
    rows.forEach((row, index) => {
      const [price, size] = levels[index] ?? [null, null];
      const { root, bar, cells } = row;
      setData(root, { price, size, seq: root.dataset.testid === best ? seq : null });
      setText(cells[0], price === null ? "" : forDisplay(price, this.#decimals.price));
      setText(cells[1], price === null ? "" : toFixed(size, this.#decimals.size));
      setText(cells[2], price === null ? "" : fromScaled(totals[index], this.#decimals.size));
      const share = price === null || deepest === 0n ? 0 : Number(totals[index]) / Number(deepest);
      const rounded = share.toFixed(3);
      if (rounded !== row.share) bar.style.setProperty("--share", rounded);
      row.share = rounded;
    });
  }

  #drawSpread(bid, ask) {
    const [left, right] = this.#spread.children;
    if (!bid || !ask) {
      setText(left, "");
      setText(right, "");
      return;
    }
    const decimals = this.#decimals.price;
    const width = toScaled(ask[0], decimals) - toScaled(bid[0], decimals);
    const points = (Number(width) / Number(toScaled(ask[0], decimals))) * 10_000;
    setText(left, compare(bid[0], ask[0]) >= 0 ? "crossed" : "spread");
    setText(
      right,
      `${fromScaled(width, decimals)} · ${points < 1 ? points.toPrecision(2) : points.toFixed(1)} bp`,
    );
  }
}
