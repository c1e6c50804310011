/**
 * Rude peer: a hostile stranger that speaks the mesh's protocols. Run it inside of a host:
 *
 *   node test/lab/attack/rude-peer.ts HOST:PORT PROTOCOL BYTES
 *
 * Proves a key of its own, opens PROTOCOL, announces a frame of BYTES and sends it until it is cut off.
 * Prints its node id, which the other side's log has.
 */
import { dialAddress, parseAddress } from "../../../packages/mesh/src/trust/address.ts";
import { makeIdentity } from "../../../packages/mesh/src/trust/identity.ts";
import { openHost } from "../../../packages/mesh/src/wire/host.ts";

const [address = "", protocol = "", bytes = ""] = process.argv.slice(2);
const pieceBytes = 64 * 1024;
const waitMs = 10_000;

const identity = await makeIdentity();
const { libp2p } = await openHost({
  identity,
  listen: { host: "127.0.0.1", port: 0 },
  dialMsMax: waitMs,
  helloMs: waitMs,
  onFailedHandshake: () => undefined,
  onRubbish: () => undefined,
});
await libp2p.start();
const connection = await libp2p.dial(dialAddress(parseAddress(address)));
const closed = new Promise((resolve) => connection.addEventListener("close", resolve));
const head = Buffer.alloc(5);
head.writeUInt32BE(Number(bytes));
head[4] = 1;
const piece = Buffer.alloc(pieceBytes);
let sentBytes = 0;
try {
  // A peer that does not answer strangers cuts it off here.
  const stream = await connection.newStream(protocol);
  stream.send(head);
  while (sentBytes < Number(bytes) && stream.status === "open") {
    const more = stream.send(piece);
    sentBytes += pieceBytes;
    if (more) await new Promise((resolve) => setImmediate(resolve));
    else await Promise.race([closed, new Promise((resolve) => stream.onDrain().then(resolve))]);
  }
} catch {
  // Cut off while opening or writing.
}
await closed;
process.stdout.write(`${identity.nodeId}\n`);
process.exit(0);
