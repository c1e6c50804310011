/** What a message over TCP costs on this machine, without gam. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

const warmUps = 200;

/** Milliseconds of each round trip of `bytes` on loopback: one connection, both ends in this process. */
export async function bareRoundTripsMs(count: number, bytes: number): Promise<number[]> {
  const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const message = Buffer.alloc(bytes, 1);
  const tookMs: number[] = [];
  for (let n = 0; n < warmUps + count; n += 1) {
    const beganMs = performance.now();
    socket.write(message);
    for (let got = 0; got < bytes; ) got += ((await once(socket, "data"))[0] as Buffer).length;
    if (n >= warmUps) tookMs.push(performance.now() - beganMs);
  }
  socket.destroy();
  server.close();
  return tookMs;
}
