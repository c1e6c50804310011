/**
 * Probe port: tests whether packets for a UDP port of the data plane reach another host.
 *
 * For hosts that share no network yet; when they share one, probePath() proves more. Tests one direction only; the
 * other host tests the other. The other host's port ear records the senders. The short and the long packet come
 * from different sockets, so the recorded sender shows which of them arrived.
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
  /** Length of the longest packet that must arrive, with its IP header. */
  readonly bytes: number;
}

const payloadBytesMax = 65_507;
/** A working path may lose one packet in ten, but hardly four in a row. */
const waitsMs = [20, 100, 200, 400];

/**
 * Sends trial packets until the other host has heard the long one. Takes five calls of `heard` and 1 s at most.
 *
 * `heard` makes the other host listen, and returns the senders it heard. Errors: those of `heard`.
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

/** `false`: this host does not have the address. */
async function isBound(socket: Socket, address: string): Promise<boolean> {
  socket.bind({ address });
  try {
    await once(socket, "listening");
    socket.on("error", () => undefined); // A packet that could not be sent counts as lost.
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
