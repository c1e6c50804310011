/**
 * Probe port: whether packets for a UDP port of the data plane get to another host.
 *
 * For hosts that share no network yet: where they do, probePath() proves more. One way only; the other
 * host tries the other. Sends what is noted there by the port ear, from sockets of its own, so that who
 * was heard tells which packet arrived.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { rethrowInvariant } from "@gam/core";
import { ipAndUdpBytes, type PathResult } from "../dns/probe-path.ts";
import { type TrialSource, trialHead } from "./port-ear.ts";

export interface PortToProbe {
  /** Underlay addresses of this host and of the other. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Length of the longest packet that is to arrive, with its IP header. */
  readonly bytes: number;
}

const payloadBytesMax = 65_507;
/** One packet in ten may be lost on a way that works: four in a row are not. */
const waitsMs = [20, 100, 200, 400];

/**
 * Takes as long as four answers of `heard`, and a second.
 *
 * `heard` has the other host listen, and says whom it heard. Errors: those of `heard`.
 */
export async function probePort(
  { from, to, port, bytes }: PortToProbe,
  heard: () => Promise<readonly TrialSource[]>,
): Promise<PathResult> {
  await heard();
  const sockets = [createSocket("udp4"), createSocket("udp4")] as const;
  const [short, long] = sockets;
  const longBytes = Math.min(bytes - ipAndUdpBytes, payloadBytesMax);
  const padding = Buffer.alloc(Math.max(0, longBytes - trialHead.length));
  try {
    for (const socket of sockets) if (!(await isBound(socket, from))) return "none";
    let isShortHeard = false;
    for (const waitMs of waitsMs) {
      short.send(trialHead, port, to, () => undefined);
      long.send([trialHead, padding], port, to, () => undefined);
      await delay(waitMs);
      const sources = await heard();
      if (isAmong(sources, long, from)) return "whole";
      isShortHeard ||= isAmong(sources, short, from);
    }
    return isShortHeard ? "small" : "none";
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** `false`: the address is not here. */
async function isBound(socket: Socket, address: string): Promise<boolean> {
  socket.bind({ address });
  try {
    await once(socket, "listening");
    socket.on("error", () => undefined); // A packet that could not be sent does not arrive.
    return true;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return false;
  }
}

function isAmong(sources: readonly TrialSource[], socket: Socket, from: string): boolean {
  const { port } = socket.address();
  return sources.some((one) => one.address === from && one.port === port);
}
