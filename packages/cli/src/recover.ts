/** Recover: shows what this host could go on with alone, asks, and has it go on. */
import { GamError } from "@gam/core";
import { checkRecoverReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "./agent-client.ts";
import { recoverView } from "./recover-view.ts";
import type { World } from "./world.ts";

/** Nobody types it by accident. */
const word = "recover";

export interface RecoverOptions {
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Shape: whether it may be done, or was. Errors: the agent's refusals. */
export async function recover(
  client: AgentClient,
  world: World,
  { yes = false, force = false, json = false }: RecoverOptions,
): Promise<boolean> {
  const answer = await client.get("/gam/v1/recover");
  const report = checkRecoverReport(answer, "report");
  if (json) {
    world.print(JSON.stringify(answer, undefined, 2));
  } else {
    const paint = createColors(world.isTerminal);
    for (const line of recoverView(report, world.nowMs(), paint)) world.print(line);
    world.print("");
  }
  if (report.refusal !== "") return false;
  if (report.doubts.length > 0 && !force) {
    world.complain('Nothing was done: "gam recover --force" goes on in spite of the doubts');
    return false;
  }
  if (!yes && !(await insists(world, force))) return true;
  await client.post("/gam/v1/recover", { force });
  world.print('This host goes on alone. "gam status" shows who comes back');
  return true;
}

/** Errors: REFUSED for another word. */
async function insists(world: World, force: boolean): Promise<boolean> {
  const command = `gam recover --yes${force ? " --force" : ""}`;
  if (world.ask === undefined) {
    world.complain(`Nothing was done: "${command}" does it`);
    return false;
  }
  const said = await world.ask(
    `Type "${word}" if the hosts that do not answer are gone for good: `,
  );
  if (said.trim() === word) return true;
  throw new GamError("REFUSED", "Nothing was done");
}
