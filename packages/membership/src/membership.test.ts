import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { type Command, runScripts } from "@gam/core/testing";
import { defaultConfig } from "./config.ts";
import { type Effect, type Input, Membership } from "./membership.ts";
import type { Message, Opinion } from "./message.ts";

const ids = (words: readonly string[]): NodeId[] => words as NodeId[];

function show(effect: Effect): string {
  switch (effect.kind) {
    case "send": {
      const { to, message } = effect;
      if (message.kind === "ping") {
        return `send ${to} ping${message.accused === undefined ? "" : ` accused=${message.accused}`}`;
      }
      if (message.kind === "ack") return `send ${to} ack incarnation=${message.incarnation}`;
      return `send ${to} ${message.kind} ${message.peer}`;
    }
    case "rumour": {
      const { opinions, incarnation, health } = effect.rumour;
      const said = opinions.map(({ peer, opinion }) => ` ${peer}=${opinion}`).join("");
      return `rumour incarnation=${incarnation} health=${health}${said}`;
    }
    case "verdict":
      return `verdict ${effect.peer} ${effect.verdict} by ${effect.watchers}: ${effect.reason}`;
  }
}

/**
 * The machine under test is "a". Peers listed by `live` answer its pings at once. Asked to probe, they
 * answer "unreached", unless `helpers silent`. Hosts listed by `refusing` refuse every 300 ms.
 *
 * A line starts with the tick since the command at which something happened. Pings are shown only when
 * they begin to accuse.
 */
class Script {
  #machine = new Membership({ ...defaultConfig, self: "a" as NodeId });
  #live = new Set<NodeId>();
  #lines: string[] = [];
  #tick = 0;
  #sequence = 0;
  #asked = 0;
  #refusing: readonly NodeId[] = [];
  #helpersAnswer = true;
  readonly #accused = new Set<NodeId>();

  run({ verb, words, options }: Command): string {
    this.#lines = [];
    this.#tick = 0;
    const [first = "", second = ""] = words;
    switch (verb) {
      case "members":
        this.#step({ kind: "members", ids: ids(first.split(",")) });
        break;
      case "live":
        this.#live = new Set(ids(first.split(",")));
        break;
      case "tick":
        for (let n = Number(first); n > 0; n -= 1) {
          this.#tick += 1;
          if (this.#tick % 6 === 0) {
            for (const peer of this.#refusing) this.#step({ kind: "refused", peer });
          }
          const lateTicks = options.has("late") ? options.number("late") : 0;
          this.#step({ kind: "tick", lateTicks });
        }
        break;
      case "refusing":
        this.#refusing = ids(words);
        break;
      case "helpers":
        this.#helpersAnswer = first !== "silent";
        break;
      case "rumour":
        this.#rumour(first as NodeId, words.slice(1), {
          incarnation: options.has("incarnation") ? options.number("incarnation") : 0,
          health: options.has("health") ? options.number("health") : 0,
          of: options.has("of") ? options.number("of") : 0,
        });
        break;
      case "ping": {
        const accused = options.has("accused") ? options.number("accused") : undefined;
        const message = { kind: "ping", round: 1, incarnation: 0, accused } as const;
        this.#step({ kind: "received", from: first as NodeId, message });
        break;
      }
      case "ask": {
        const message = { kind: "ask", round: 7, peer: second as NodeId } as const;
        this.#step({ kind: "received", from: first as NodeId, message });
        break;
      }
      case "reached": {
        const rest = { round: this.#asked, peer: second as NodeId };
        const message = { kind: "reached", incarnation: 0, ...rest } as const;
        this.#step({ kind: "received", from: first as NodeId, message });
        break;
      }
      case "heard":
        return [...words]
          .map((peer) => `${peer} ${this.#machine.hears(peer as NodeId)}`)
          .join("\n");
      case "grace":
        return words
          .map((peer) => `${peer} ${this.#machine.graceTicks(peer as NodeId) ?? "-"}`)
          .join("\n");
      case "spoken":
        return words.map((peer) => `${peer} ${this.#machine.hasSpoken(peer as NodeId)}`).join("\n");
      case "table":
        return [
          `health ${this.#machine.localHealth()}`,
          ...this.#machine.table().map((row) => `${row.peer} ${row.verdict} ${row.opinion ?? "-"}`),
        ].join("\n");
      default:
        throw new Error(`Cannot run "${verb}": no such command`);
    }
    return this.#lines.join("\n") || "nothing";
  }

  /** Words like "e:silent", about the incarnation `of` of e. */
  #rumour(
    from: NodeId,
    words: readonly string[],
    { incarnation, health, of }: { incarnation: number; health: number; of: number },
  ): void {
    this.#sequence += 1;
    const opinions = words.map((word) => {
      const [peer = "", opinion = ""] = word.split(":");
      return { peer: peer as NodeId, opinion: opinion as Opinion, incarnation: of };
    });
    const sequence = this.#sequence;
    const rumour = { sequence, incarnation, health, repeatTicks: 100, opinions };
    this.#step({ kind: "rumour", from, rumour });
  }

  #step(input: Input): void {
    for (const effect of this.#machine.step(input)) {
      const line = `+${this.#tick} ${show(effect)}`;
      if (effect.kind !== "send") this.#lines.push(line);
      else if (this.#worthShowing(effect)) this.#lines.push(line);
      if (effect.kind === "send") this.#answer(effect.to, effect.message);
    }
  }

  #worthShowing({ to, message }: { to: NodeId; message: Message }): boolean {
    if (message.kind !== "ping") return true;
    const begins = message.accused !== undefined && !this.#accused.has(to);
    if (message.accused === undefined) this.#accused.delete(to);
    else this.#accused.add(to);
    return begins;
  }

  #answer(to: NodeId, message: Message): void {
    if (message.kind === "ask") this.#asked = message.round;
    if (!this.#live.has(to)) return;
    if (message.kind === "ping") {
      const ack = { kind: "ack", round: message.round, incarnation: 0 } as const;
      this.#step({ kind: "received", from: to, message: ack });
    }
    if (message.kind === "ask" && this.#helpersAnswer) {
      const { round, peer } = message;
      this.#step({ kind: "received", from: to, message: { kind: "unreached", round, peer } });
    }
  }
}

test("Membership follows its scripts", () => {
  runScripts(new URL("../testdata/", import.meta.url), () => {
    const script = new Script();
    return (command) => script.run(command);
  });
});
