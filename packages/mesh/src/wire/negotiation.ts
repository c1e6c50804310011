/**
 * Negotiation: what may come in before both ends have agreed on a protocol.
 *
 *   length (1 byte) | name | newline      the frames of multistream-select, as gam's peers send them
 *
 * libp2p looks for the end of a frame's length one byte at a time, and does not yield while there are
 * bytes. So a stranger could stop the agent for half a minute with a megabyte of 0xff. To prevent that,
 * every byte passes here first, until a protocol that we speak is named. That protocol checks what comes
 * after. Decides nothing else: libp2p reads which protocol it is.
 */
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";

/** Our names are shorter, and one length byte cannot hold more. */
const lengthMax = 127;
/** A caller names the negotiation and a protocol, or a few protocols until one is known. */
const framesMax = 8;

/** The place where libp2p receives the bytes of a connection or stream. */
export interface Inlet {
  onData(data: { subarray(): Uint8Array }): void;
  abort(error: Error): void;
}

/** Whether the frame ends the negotiation for the side that reads it. */
export type IsLast = (name: string) => boolean;

/** For the side that asked: an echo ends it, and so does any name that libp2p then rejects. */
export const isAnswer: IsLast = (name) => name !== "/multistream/1.0.0" && name !== "na";

/** Checks the bytes of one connection or stream. */
export class Negotiation {
  readonly #isLast: IsLast;
  readonly #name: number[] = [];
  #left: number | undefined;
  #frames = 0;

  constructor(isLast: IsLast) {
    this.#isLast = isLast;
  }

  /** "rubbish": nothing of `bytes` may be passed on. "over": a protocol was named. */
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

/** Checks incoming bytes until a protocol is named. Call it before any have come. */
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
      return onRubbish(new Error("the bytes are not a protocol negotiation"));
    }
    if (found === "over") inlet.onData = take;
    take.call(inlet, data);
  };
}

/** The same encrypter, but the handshake must agree on the muxer. */
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
