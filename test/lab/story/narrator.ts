/**
 * Narrator: prints the story of scripts/try, on a terminal or without one.
 *
 * Decides nothing about the story. Without a terminal it leaves out colours; the text is the same.
 */
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

export class Narrator {
  readonly #out: NodeJS.WriteStream;
  #chapters = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  chapter(title: string): void {
    this.#chapters += 1;
    this.#line(this.#paint("bold", `${this.#chapters}. ${title}`));
    this.#line("");
  }

  say(text: string): void {
    this.#line(text);
  }

  /** A command line, and the host on which it is typed. */
  command(host: string, line: string): void {
    this.#line(`${this.#paint("cyan", `${host}#`)} ${this.#paint("bold", line)}`);
  }

  /** The output of a command, unchanged. */
  answer(text: string): void {
    for (const line of text.trimEnd().split("\n")) this.#line(`  ${line}`.trimEnd());
    this.#line("");
  }

  /** A fact that was checked. */
  fact(text: string): void {
    this.#line(`${this.#paint("green", "=>")} ${text}`);
    this.#line("");
  }

  /** An event, with its time since the beginning of a time line. */
  moment(afterMs: number, text: string): void {
    this.#line(
      `  ${this.#paint("yellow", `+ ${(afterMs / 1000).toFixed(2).padStart(5)} s`)}  ${text}`,
    );
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  #paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }
}

/** `1.3 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
