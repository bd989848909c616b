/**
 * What to do after a connection ended: pure decisions, as the protocol's closing table says.
 *
 * Owns: which close codes and refusals are worth another try, when, and with what.
 * Input: close codes, `goodbye` messages, answers of `GET /v1/session`, attempt numbers.
 * Output: decisions `{retry, newToken, delayMsMin, code, reason}` and delays in milliseconds.
 * It deliberately opens nothing and keeps no timer: `client.js` acts.
 */

/** The least wait before the server asked for "later" (OVERLOADED, RATE_EXCEEDED, INTERNAL). */
const LATER_MS = 2_000;

/** Close code → name and policy. Codes not listed (1000, 1005, 1006 …) are retried at once. */
const CLOSINGS = new Map([
  [1001, { name: "GOING_AWAY", policy: "retry" }],
  [1002, { name: "PROTOCOL_ERROR", policy: "stop" }],
  [1003, { name: "UNSUPPORTED_DATA", policy: "stop" }],
  [1007, { name: "INVALID_UTF8", policy: "stop" }],
  [1008, { name: "POLICY", policy: "stop" }],
  [1009, { name: "MESSAGE_TOO_LARGE", policy: "stop" }],
  [1011, { name: "INTERNAL", policy: "later" }],
  [1012, { name: "RESTART", policy: "retry" }],
  [1013, { name: "OVERLOADED", policy: "later" }],
  [4401, { name: "CREDENTIALS_EXPIRED", policy: "token" }],
  [4403, { name: "FORBIDDEN", policy: "stop" }],
  [4408, { name: "HEARTBEAT_MISSED", policy: "retry" }],
  [4409, { name: "TOO_SLOW", policy: "retry" }],
  [4429, { name: "RATE_EXCEEDED", policy: "later" }],
]);

/** The decision after an established connection closed. `goodbye` is the message, if any. */
export function afterClose(code, reason, goodbye) {
  const closing = CLOSINGS.get(code) ?? { name: "DROPPED", policy: "retry" };
  const told = retryAfterMs(goodbye?.retry_after_ms);
  return {
    retry: closing.policy !== "stop",
    newToken: closing.policy === "token",
    delayMsMin: told ?? (closing.policy === "later" ? LATER_MS : 0),
    code: reason || closing.name,
    reason: describeClose(code, reason || closing.name),
  };
}

/**
 * The decision after a refused handshake, from what `GET /v1/session` answered.
 * `status` is null when even that could not be reached.
 */
export function afterRefusal(status, error, retryAfterSeconds) {
  const code = error?.code ?? (status === null ? "UNREACHABLE" : `HTTP_${status}`);
  const reason = error?.message ?? (status === null ? "the server cannot be reached" : code);
  const delayMsMin = retryAfterMs(retryAfterSeconds * 1_000) ?? 0;
  if (status === 401) return { retry: true, newToken: true, delayMsMin, code, reason };
  if (status === 400 || status === 403) {
    return { retry: false, newToken: false, delayMsMin: 0, code, reason };
  }
  const later = status === 429 || status === 503 ? Math.max(delayMsMin, LATER_MS) : 0;
  return { retry: true, newToken: false, delayMsMin: later, code, reason };
}

/**
 * The wait before try number `attempt` (0 = first): exponential, with half of it random so
 * that a thousand clients of one restarted node don't return in the same instant.
 */
export function backoffMs(attempt, { baseMs, maxMs }, random) {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 16));
  return ceiling / 2 + (random() * ceiling) / 2;
}

function retryAfterMs(value) {
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function describeClose(code, name) {
  if (code === 1006) return "the connection dropped";
  if (code === 1000 || code === 1005) return "the connection was closed";
  return `closed by the server: ${name} (${code})`;
}
