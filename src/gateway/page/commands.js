/**
 * Commands in flight: each has an id, each gets one reply.
 *
 * Owns: ids and the promises behind them. Input: commands, and messages that may be replies.
 * Output: one text per command, and a settled promise per reply.
 * It deliberately repeats nothing: after a drop `client.js` decides what is said again.
 */

/** The server answered a command with an error, or the client gave up for a reason. */
export class CommandError extends Error {
  constructor({ code, message, details }) {
    super(`${code}: ${message}`);
    this.name = "CommandError";
    this.code = code;
    this.details = details ?? null;
  }
}

/** The connection ended before the reply came. */
export class ConnectionLost extends Error {
  constructor() {
    super("the connection was lost before the reply");
    this.name = "ConnectionLost";
  }
}

/** The commands of one client. Ids go on over reconnects, so a late reply can't mislead. */
export class Commands {
  #send;
  #nextId = 1;
  #pending = new Map();

  /** `send(text)` writes to the socket of the moment. */
  constructor(send) {
    this.#send = send;
  }

  /** Sends a command; resolves with its reply, rejects with CommandError or ConnectionLost. */
  send(op, fields) {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send(JSON.stringify({ op, id, ...fields }));
    });
  }

  /** Settles the command that `message` answers; false when it answers none of ours. */
  settle(message) {
    const command = this.#pending.get(message.id);
    if (!command) return false;
    this.#pending.delete(message.id);
    if (message.type === "error") command.reject(new CommandError(message));
    else command.resolve(message);
    return true;
  }

  /** The connection is gone and every reply with it. */
  lose() {
    const commands = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of commands) reject(new ConnectionLost());
  }
}
