/** Rebalance: shows which tasks would move to other hosts, asks for it, and shows each move until the last. */
import { GamError } from "@gam/core";
import { checkRebalanceReport, type RebalanceReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { pastLine, rebalanceView } from "../views/rebalance-view.ts";

const lookMs = 1000;

export interface RebalanceOptions {
  readonly plan?: boolean;
  readonly auto?: "on" | "off";
  readonly stop?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
}

async function reportOf(client: AgentClient): Promise<RebalanceReport> {
  return checkRebalanceReport(await client.get("/gam/v1/rebalance"), "report");
}

export async function rebalance(
  client: AgentClient,
  io: CommandIo,
  { plan = false, auto, stop = false, detach = false, json = false }: RebalanceOptions,
): Promise<void> {
  const show = async (): Promise<void> => {
    const report = await reportOf(client);
    if (json) return io.print(JSON.stringify(report, undefined, 2));
    for (const line of rebalanceView(report, createColors(io.isTerminal))) io.print(line);
  };
  if (plan) return await show();
  if (auto !== undefined) {
    await client.post("/gam/v1/rebalance", { auto: auto === "on" });
    return io.print(
      auto === "on"
        ? "The cluster moves tasks by itself from now on"
        : "The cluster moves no task by itself any more",
    );
  }
  if (stop) {
    await client.post("/gam/v1/rebalance", { run: false });
    return io.print("No further move begins; moves that have begun are finished");
  }
  const before = await reportOf(client);
  if (before.planned.length === 0 && before.open.length === 0) {
    return io.print("Nothing to move: tasks are where they should be");
  }
  await client.post("/gam/v1/rebalance", { run: true });
  if (detach)
    return io.print('Moves have been asked for. "gam rebalance --plan" shows how far they are');
  await follow(client, io, before);
}

/** Prints each move when it has ended. Errors: REFUSED when a move fails. */
async function follow(client: AgentClient, io: CommandIo, before: RebalanceReport): Promise<void> {
  const told = new Set(before.past.map((move) => JSON.stringify(move)));
  for (;;) {
    await io.pause(lookMs);
    const now = await reportOf(client);
    for (const move of now.past) {
      const words = JSON.stringify(move);
      if (!told.has(words)) io.print(pastLine(move));
      told.add(words);
    }
    if (now.isAsked || now.open.length > 0) continue;
    if (now.stopped === "") return io.print("Done: nothing is left to move");
    throw new GamError("REFUSED", `Stopped at the first failure: ${now.stopped}`);
  }
}
