/**
 * Log lines: the lines in a stream of logs, in frames (a header of 8 bytes with the stream's number and the length) or
 * plain, as a terminal's.
 *
 * Source: Docker Engine API, ContainerAttach, "Stream format".
 */
import { StringDecoder } from "node:string_decoder";

const headerBytes = 8;
const stdout = 1;

/** Where the lines go: standard output and the rest. */
export interface Printer {
  print(line: string): void;
  complain(line: string): void;
}

export class LogLines {
  readonly #printer: Printer;
  #held: Buffer = Buffer.alloc(0);
  readonly #begun = new Map<number, string>();
  /** By stream: a character may begin in one piece or frame and end in the next. */
  readonly #decoders = new Map<number, StringDecoder>();

  constructor(printer: Printer) {
    this.#printer = printer;
  }

  /** `type`: the type of the stream's content. */
  add(piece: Buffer, type: string): void {
    if (type.includes("raw-stream")) return this.#text(stdout, piece);
    this.#held = Buffer.concat([this.#held, piece]);
    while (this.#held.length >= headerBytes) {
      const end = headerBytes + this.#held.readUInt32BE(4);
      if (this.#held.length < end) return;
      this.#text(this.#held[0] ?? stdout, this.#held.subarray(headerBytes, end));
      this.#held = this.#held.subarray(end);
    }
  }

  /** The stream is over: prints lines without an end. */
  end(): void {
    for (const [stream, text] of this.#begun) {
      const last = text + (this.#decoders.get(stream)?.end() ?? "");
      if (last !== "") this.#print(stream, last);
    }
    this.#begun.clear();
  }

  #text(stream: number, piece: Buffer): void {
    const decoder = this.#decoders.get(stream) ?? new StringDecoder("utf8");
    this.#decoders.set(stream, decoder);
    const text = decoder.write(piece);
    const lines = `${this.#begun.get(stream) ?? ""}${text}`.split("\n");
    this.#begun.set(stream, lines.pop() ?? "");
    for (const line of lines) this.#print(stream, line);
  }

  #print(stream: number, line: string): void {
    if (stream === stdout) this.#printer.print(line);
    else this.#printer.complain(line);
  }
}
