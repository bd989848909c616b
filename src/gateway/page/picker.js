/**
 * The dialog that chooses which markets are shown.
 *
 * Owns: the dialog's DOM. Input: the instruments and the keys now chosen. Output: `onToggle`.
 * It deliberately keeps no choice of its own: `app.js` does.
 */

import { byTestId, element, setText } from "./dom.js";

/** The market picker. */
export class Picker {
  #dialog = byTestId("picker");
  #list = this.#dialog.querySelector(".picker-list");
  #rows = [];

  /** `onToggle(key, chosen)` is called for every change; `limit` is the most at once. */
  constructor(limit, onToggle) {
    this.limit = limit;
    this.onToggle = onToggle;
    byTestId("open-picker").addEventListener("click", () => this.#dialog.showModal());
    byTestId("close-picker").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // the backdrop
    });
    const search = this.#dialog.querySelector("input[type=search]");
    search.addEventListener("input", () => this.#filter(search.value.trim().toLowerCase()));
  }

  /** Lists the instruments. */
  fill(instruments) {
    this.#rows = instruments.map(({ venue, symbol }) => {
      const key = `${venue}:${symbol}`;
      const box = element("input", null, { type: "checkbox", "data-testid": `pick-${key}` });
      box.addEventListener("change", () => this.onToggle(key, box.checked));
      const label = element("label", null, {}, [box, symbol, element("span", null, {}, [venue])]);
      return { key, box, row: element("li", null, {}, [label]) };
    });
    this.#list.replaceChildren(...this.#rows.map(({ row }) => row));
  }

  /** Shows which keys are chosen; at the limit nothing more can be. */
  show(chosen) {
    for (const { key, box } of this.#rows) {
      box.checked = chosen.has(key);
      box.disabled = !box.checked && chosen.size >= this.limit;
    }
    setText(byTestId("picker-count"), `${chosen.size} of at most ${this.limit}`);
  }

  #filter(text) {
    for (const { key, row } of this.#rows) row.hidden = !key.toLowerCase().includes(text);
  }
}
