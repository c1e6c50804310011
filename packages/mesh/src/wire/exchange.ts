/**
 * Exchange: a short conversation on a stream of its own, one value at a time, for join and renew.
 *
 * Decides nothing. When the other end sends too much, too late or nonsense, this throws and the caller
 * cuts it off.
 */
import { type Check, decode, encode, GamError } from "@gam/core";
import type { Stream } from "@libp2p/interface";
import { Channel } from "./channel.ts";

/** A conversation has a handful of turns; more unread frames than this are rubbish. */
const unreadMax = 4;

export class Exchange {
  readonly #channel: Channel;
  readonly #unread: Uint8Array[] = [];
  #waiting: { take: (body: Uint8Array) => void; fail: (error: GamError) => void } | undefined;
  #over: GamError | undefined;

  constructor(stream: Stream, bodyBytesMax: number) {
    this.#channel = new Channel(stream, {
      bodyBytesMax,
      onFrame: (body) => {
        if (this.#waiting !== undefined) return this.#waiting.take(body);
        if (this.#unread.length >= unreadMax) {
          throw new GamError("BAD_FRAME", "Cannot read frame: more than was asked for");
        }
        this.#unread.push(body);
      },
      onClose: (reason) => {
        this.#fail(new GamError("UNREACHABLE", `Cannot go on: ${reason ?? "the peer hung up"}`));
      },
      onRubbish: (error) => this.#fail(error),
    });
  }

  send(value: unknown): void {
    this.#channel.send([encode(value)]);
  }

  /** Errors: UNREACHABLE when the other end is gone or silent, BAD_FRAME when its frame cannot be read. */
  async next<T>(check: Check<T>, path: string, timeoutMs: number): Promise<T> {
    const body = this.#unread.shift() ?? (await this.#wait(path, timeoutMs));
    return check(decode(body), path);
  }

  close(): void {
    this.#channel.close();
  }

  #wait(path: string, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined) return reject(this.#over);
      const timer = setTimeout(() => {
        this.#fail(new GamError("UNREACHABLE", `Cannot go on: no ${path} in ${timeoutMs} ms`));
      }, timeoutMs);
      timer.unref();
      this.#waiting = {
        take: (body) => {
          this.#waiting = undefined;
          clearTimeout(timer);
          resolve(body);
        },
        fail: (error) => {
          this.#waiting = undefined;
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #fail(error: GamError): void {
    this.#over ??= error;
    this.#waiting?.fail(error);
  }
}
