/**
 * Exact decimals as the wire carries them: canonical strings ("67012.01"), never floats.
 *
 * Owns: the canonical form, order, exact sums and fixed-width printing of decimal strings.
 * Input: decimal strings of protocol messages. Output: strings, orderings, BigInts.
 * It deliberately knows nothing of books or channels.
 */

/** The canonical form: no leading or trailing zeros, no sign on zero ("067.10" → "67.1"). */
export function canonical(text) {
  if (isCanonical(text)) return text;
  const match = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text);
  if (!match || !/\d/.test(text)) throw new RangeError(`not a decimal: ${text}`);
  const [, sign, whole, fraction = ""] = match;
  const magnitude = (whole || "0") + (fraction ? `.${fraction}` : "");
  return sign === "-" && magnitude !== "0" ? `-${magnitude}` : magnitude;
}

/** Orders two canonical decimals: negative, zero or positive, as a sort comparator does. */
export function compare(left, right) {
  if (left === right) return 0;
  const leftNegative = left.charCodeAt(0) === MINUS;
  const rightNegative = right.charCodeAt(0) === MINUS;
  if (leftNegative !== rightNegative) return leftNegative ? -1 : 1;
  return leftNegative
    ? -compareMagnitude(left.slice(1), right.slice(1))
    : compareMagnitude(left, right);
}

/** True for "0". */
export function isZero(text) {
  return text === "0";
}

/** How many digits stand after the point ("0.00001" → 5). */
export function decimalsOf(text) {
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/** The decimal times 10^decimals as a BigInt; digits beyond are cut. */
export function toScaled(text, decimals) {
  const point = text.indexOf(".");
  if (point < 0) return BigInt(text + "0".repeat(decimals));
  const fraction = text.slice(point + 1, point + 1 + decimals).padEnd(decimals, "0");
  return BigInt(text.slice(0, point) + fraction);
}

/** A scaled BigInt printed with exactly `decimals` digits after the point. */
export function fromScaled(scaled, decimals) {
  const negative = scaled < 0n;
  const digits = (negative ? -scaled : scaled).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const text = decimals > 0 ? `${whole}.${digits.slice(-decimals)}` : whole;
  return negative ? `-${text}` : text;
}

/** Printed with exactly `decimals` digits after the point: padded, or cut, never rounded. */
export function toFixed(text, decimals) {
  const point = text.indexOf(".");
  if (point < 0) return decimals > 0 ? `${text}.${"0".repeat(decimals)}` : text;
  if (decimals === 0) return text.slice(0, point);
  return text.slice(0, point + 1 + decimals).padEnd(point + 1 + decimals, "0");
}

/** For the eye: thousands apart, exactly `decimals` digits after the point. */
export function forDisplay(text, decimals) {
  const [whole, fraction] = toFixed(text, decimals).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

const MINUS = 45;

/** The form nearly every message already has: one cheap test instead of a rewrite. */
function isCanonical(text) {
  return /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/.test(text) && text !== "-0";
}

/** Without leading zeros a longer whole part is larger; fractions compare as text. */
function compareMagnitude(left, right) {
  const leftPoint = left.indexOf(".");
  const rightPoint = right.indexOf(".");
  const leftWhole = leftPoint < 0 ? left.length : leftPoint;
  const rightWhole = rightPoint < 0 ? right.length : rightPoint;
  if (leftWhole !== rightWhole) return leftWhole - rightWhole;
  // '.' sorts before digits and a missing fraction before any: plain text order is right.
  return left < right ? -1 : 1;
}
