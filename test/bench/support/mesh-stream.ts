/**
 * One end of a bare stream of the mesh, as a program of its own for anyhost.ts.
 *
 *   node test/bench/support/mesh-stream.ts serve ADDRESS              prints READY TOKEN, then serves bytes until it is killed
 *   node test/bench/support/mesh-stream.ts read ADDRESS TOKEN MEGABYTES    prints the megabytes a second
 */
import { once } from "node:events";
import { MeshWorld } from "../../../packages/mesh/src/testing/mesh-world.ts";

const mega = 1_000_000;
const pieceBytes = 64 * 1024;
const secret = "0123456789abcdefghijklmno";
const [verb, host = "", token = "", megabytes = "1000"] = process.argv.slice(2);
const world = new MeshWorld();
world.secrets = { manager: secret, worker: secret };
const listen = { host, port: 0 };

if (verb === "serve") {
  const { mesh } = await world.found({ listen });
  mesh.handleStream("bulk", async (_, header, stream) => {
    const piece = Buffer.alloc(pieceBytes, 1);
    let left = Number(Buffer.from(header).toString()) * mega;
    for (; left > 0; left -= piece.length) {
      if (!stream.write(piece.subarray(0, left))) await once(stream, "drain");
    }
    stream.end();
  });
  process.stdout.write(`READY ${world.token({ mesh } as never)}\n`);
} else {
  const { mesh } = await world.open({ listen });
  const { members } = await mesh.join(token);
  mesh.setPeers(members);
  const [first] = members;
  if (first === undefined) throw new Error("Cannot read: the server is no member");
  const startMs = performance.now();
  const stream = await mesh.stream(first.nodeId, "bulk", Buffer.from(megabytes));
  stream.end();
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  process.stdout.write(`${bytes / mega / ((performance.now() - startMs) / 1000)}\n`);
  await world.close();
}
