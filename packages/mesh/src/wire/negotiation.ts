/**
 * Negotiation: what may come in before both ends have agreed on a protocol.
 *
 *   length (1 byte) | name | newline      the frames of multistream-select, as peers of ours send them
 *
 * libp2p looks for the end of a frame's length one byte at a time, for as long as there are bytes, and
 * does not give way to anything else meanwhile: a stranger who sends a megabyte of 0xff stops the agent
 * for half a minute. So every byte passes by here first, until a protocol is named that we speak; what
 * comes then is for that protocol to judge. Decides nothing else: which protocol it is, libp2p reads.
 */
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";

/** Our names are shorter, and one byte says the length of no longer one. */
const lengthMax = 127;
/** A caller names the negotiation and a protocol, or a few until one is spoken. */
const framesMax = 8;

/** Where libp2p takes in what a connection or stream has brought. */
export interface Inlet {
  onData(data: { subarray(): Uint8Array }): void;
  abort(error: Error): void;
}

/** Whether the frame ends the negotiation, as the side judges it that reads it. */
export type IsLast = (name: string) => boolean;

/** On the side that asked: an echo ends it, and so does whatever libp2p will not have as one. */
export const isAnswer: IsLast = (name) => name !== "/multistream/1.0.0" && name !== "na";

/** Reads along. One for each connection or stream. */
export class Negotiation {
  readonly #isLast: IsLast;
  readonly #name: number[] = [];
  #left: number | undefined;
  #frames = 0;

  constructor(isLast: IsLast) {
    this.#isLast = isLast;
  }

  /** "rubbish": nothing of `bytes` may be handed on. "over": a protocol was named. */
  read(bytes: Uint8Array): "going on" | "over" | "rubbish" {
    for (const byte of bytes) {
      if (this.#left === undefined) {
        this.#frames += 1;
        if (byte === 0 || byte > lengthMax || this.#frames > framesMax) return "rubbish";
        this.#left = byte;
        continue;
      }
      this.#name.push(byte);
      this.#left -= 1;
      if (this.#left > 0) continue;
      this.#left = undefined;
      const name = String.fromCharCode(...this.#name.splice(0)).trimEnd();
      if (this.#isLast(name)) return "over";
    }
    return "going on";
  }
}

/** Watches what comes in until a protocol is named. Call it before anything has. */
export function watchNegotiation(
  inlet: Inlet,
  isLast: IsLast,
  onRubbish: (error: Error) => void,
): void {
  const negotiation = new Negotiation(isLast);
  const take = inlet.onData;
  inlet.onData = (data) => {
    const found = negotiation.read(data.subarray());
    if (found === "rubbish") {
      inlet.onData = () => undefined;
      return onRubbish(new Error("no negotiation of a protocol"));
    }
    if (found === "over") inlet.onData = take;
    take.call(inlet, data);
  };
}

/** The same encrypter, which insists that the muxer is agreed on within the handshake. */
export function insistOnMuxer(
  encrypter: ConnectionEncrypter,
  onSecured: (plain: MessageStream, secured: MessageStream) => void,
): ConnectionEncrypter {
  for (const side of ["secureInbound", "secureOutbound"] as const) {
    const secure = encrypter[side].bind(encrypter);
    encrypter[side] = async (connection, options) => {
      const secured = await secure(connection, options);
      if (secured.streamMuxer === undefined) throw new Error("no muxer in the handshake");
      onSecured(connection, secured.connection);
      return secured;
    };
  }
  return encrypter;
}
