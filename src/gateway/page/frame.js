/**
 * When things are drawn: at most once per animation frame, only what changed.
 *
 * Owns: the set of parts that need drawing. Input: `schedule(part)`, any number of times.
 * Output: one `part.draw()` each, all in one frame, so that what is shown belongs together.
 */

/** Nobody reads faster than this; drawing less leaves the machine to others. */
const FRAME_MS_MIN = 40;

const dirty = new Set();
let waiting = false;
let drawnMs = -Infinity;

/** Asks for `part.draw()` in one of the next frames. */
export function schedule(part) {
  dirty.add(part);
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(flush);
}

function flush(nowMs) {
  if (nowMs - drawnMs < FRAME_MS_MIN) {
    requestAnimationFrame(flush);
    return;
  }
  drawnMs = nowMs;
  waiting = false;
  const parts = [...dirty];
  dirty.clear();
  for (const part of parts) part.draw();
}
