/**
 * Talk: connections to echo servers that stay open and always send, whatever happens meanwhile.
 *
 *   const talk = await Talk.start(lab.host(3), { address, port: 80, count: 8 }, container.pid);
 *   talk.answers();       // by the connection's own port: the server that answers, and how often it did
 *   talk.troubles();      // why connections have ended
 *   talk.stop();
 */
import { readFileSync } from "node:fs";
import type { Background } from "../hosts/background.ts";
import type { Host } from "./lab.ts";

export interface TalkOptions {
  readonly address: string;
  readonly port: number;
  /** Number of connections. */
  readonly count: number;
}

/** One line of the talker about a connection, named by its own port. */
export type Word =
  | { readonly port: number; readonly server: string }
  | { readonly port: number; readonly trouble: string };

let counter = 0;

export class Talk {
  readonly #process: Background;

  private constructor(process: Background) {
    this.#process = process;
  }

  /** `inside`: the PID of a container's process, in whose network the talker runs. */
  static async start(host: Host, options: TalkOptions, inside: number): Promise<Talk> {
    const program = new URL("./talker.ts", import.meta.url).pathname;
    counter += 1;
    const enter = ["nsenter", "-t", String(inside), "-n"];
    const words = [...enter, "node", program, JSON.stringify(options)];
    return new Talk(await host.spawn(`talk-${process.pid}-${counter}`, words));
  }

  answers(): ReadonlyMap<number, { readonly server: string; readonly count: number }> {
    const answers = new Map<number, { server: string; count: number }>();
    for (const word of this.#words()) {
      if (!("server" in word)) continue;
      const { port, server } = word;
      answers.set(port, { server, count: (answers.get(port)?.count ?? 0) + 1 });
    }
    return answers;
  }

  troubles(): readonly string[] {
    return this.#words().flatMap((word) =>
      "trouble" in word ? [`port ${word.port}: ${word.trouble}`] : [],
    );
  }

  stop(): void {
    this.#process.kill("SIGTERM");
  }

  #words(): readonly Word[] {
    const said = readFileSync(this.#process.log, "utf8");
    const lines = said.slice(0, said.lastIndexOf("\n") + 1).split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Word);
  }
}
