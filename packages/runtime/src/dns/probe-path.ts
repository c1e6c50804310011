/**
 * Probe path: tests whether packets get through a network to another node's bridge, and back.
 *
 * Asks the DNS server there for the name of its own address, which it answers from its plan at once. So an answer
 * proves the whole path: device, port, encryption, bridge, and the agent behind it. The first question is short,
 * the second one padded to the longest packet that the network carries.
 */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { rethrowInvariant } from "@gam/core";
import { flag, headerBytes, internetClass, type } from "./dns-message.ts";
import { header, opt, optBytes } from "./write-answer.ts";

export interface PathToProbe {
  /** This node's and the other node's address in the network. */
  readonly from: string;
  readonly to: string;
  /** MTU of the network's devices. */
  readonly mtu: number;
  /** Default 53. */
  readonly port?: number;
}

export type PathResult = "whole" | "small" | "none";

export const ipAndUdpBytes = 28;
const paddingOption = 12;
/** A working path may lose one packet in ten, but hardly four in a row. */
const tries = 4;
const waitMs = 400;

/** Never rejects; takes four seconds at most. Source of the padding: RFC 7830. */
export async function probePath(path: PathToProbe): Promise<PathResult> {
  const question = questionOf(path.to);
  const withOpt = headerBytes + question.length + optBytes;
  const padding = path.mtu - ipAndUdpBytes - withOpt;
  if (!(await isAnswered(path, question, 0))) return "none";
  return (await isAnswered(path, question, Math.max(4, padding))) ? "whole" : "small";
}

async function isAnswered(
  { from, to, port = 53 }: PathToProbe,
  question: Buffer,
  padding: number,
): Promise<boolean> {
  const id = randomInt(0x10000);
  const message = Buffer.concat([
    header(id, flag.recursionDesired, 1, 0, 0, 1),
    question,
    padded(padding),
  ]);
  const socket = createSocket("udp4");
  const answered = new Promise<boolean>((resolve) => {
    socket.on("message", (reply) => {
      if (reply.length >= headerBytes && reply.readUInt16BE(0) === id) resolve(true);
    });
    // This host does not have the address, or nothing listens at the other.
    socket.on("error", () => resolve(false));
  });
  const failed = answered.then((yes) => !yes);
  socket.bind({ address: from });
  try {
    await Promise.race([once(socket, "listening").catch(rethrowInvariant), failed]);
    for (let left = tries; left > 0; left -= 1) {
      socket.send(message, port, to, () => undefined);
      if (await soon(answered)) return true;
    }
    return false;
  } finally {
    socket.close();
  }
}

/** Whether the answer comes within one wait. */
async function soon(answered: Promise<boolean>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), waitMs);
  try {
    return await Promise.race([answered, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The PTR question for an IPv4 address. */
function questionOf(address: string): Buffer {
  const labels = [...address.split(".").reverse(), "in-addr", "arpa"];
  const name = labels.map((label) => String.fromCharCode(label.length) + label).join("");
  const tail = Buffer.from([0, 0, type.ptr, 0, internetClass]);
  return Buffer.concat([Buffer.from(name, "latin1"), tail]);
}

function padded(bytes: number): Buffer {
  const record = opt(0, false);
  if (bytes < 4) return record;
  const option = Buffer.alloc(bytes);
  option.writeUInt16BE(paddingOption, 0);
  option.writeUInt16BE(bytes - 4, 2);
  record.writeUInt16BE(bytes, 9);
  return Buffer.concat([record, option]);
}
