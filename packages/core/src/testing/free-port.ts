import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Below the ports that Linux gives to outgoing connections, which would take a port while nothing listens there. */
const portMin = 20_000;
const portMax = 32_000;
const portTries = 100;

/** Resolves to a port of TCP and UDP that nothing uses, on any address of this machine. It stays free for long. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < portTries; tries += 1) {
    const port = randomInt(portMin, portMax);
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port;
  }
  throw new Error(`Cannot find a free port from ${portMin} to ${portMax}`);
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, "0.0.0.0", () => socket.close(() => resolve(true)));
  });
}
