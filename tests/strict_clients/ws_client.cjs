// npm's `ws` as a client: `ws_client.cjs <host:port> <mode> <command>`.
//
// Sends the command and prints every text message as a line until it is killed. It knows nothing of
// the protocol; the test that reads its output judges.
'use strict';

const WebSocket = require('ws');

const [host, mode, command] = process.argv.slice(2);
const offers = {
  plain: false,
  deflate: true,
  small: { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
};
const socket = new WebSocket(`ws://${host}/v1/stream`, { perMessageDeflate: offers[mode] });
socket.on('open', () => socket.send(command));
socket.on('message', (data, isBinary) => {
  if (!isBinary) process.stdout.write(`${data.toString()}\n`);
});
socket.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
socket.on('close', (code) => process.exit(code === 1000 ? 0 : 2));
