/**
 * The few things the views do to the document: make, find, and change only what differs.
 *
 * Owns: nothing. Writing an unchanged text or attribute still costs a browser its layout,
 * so every write goes through `setText` and `setData`.
 */

/** A new element with a class, attributes and children. */
export function element(tag, className, attributes = {}, children = []) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The descendant with this `data-testid`. */
export function byTestId(id, root = document) {
  return root.querySelector(`[data-testid="${id}"]`);
}

/** Sets the text if it differs. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets `data-…` attributes where they differ; null removes one. */
export function setData(node, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) delete node.dataset[name];
    else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
  }
}

/** "12:03:04", and with `milliseconds` "12:03:04.250", in local time. */
export function clockTime(timeMs, milliseconds = false) {
  const time = new Date(timeMs);
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const text = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
  return milliseconds ? `${text}.${pad(time.getMilliseconds(), 3)}` : text;
}
