/** Recover: shows what this host could continue with alone, asks, and makes it continue. */
import { GamError } from "@gam/core";
import { checkRecoverReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { recoverView } from "../views/recover-view.ts";

/** The user must type a whole word, so that nobody confirms by accident. */
const word = "recover";

export interface RecoverOptions {
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Returns: false if it is refused or in doubt. Errors: REFUSED, by the agent or for another word. */
export async function recover(
  client: AgentClient,
  io: CommandIo,
  { yes = false, force = false, json = false }: RecoverOptions,
): Promise<boolean> {
  const answer = await client.get("/gam/v1/recover");
  const report = checkRecoverReport(answer, "report");
  if (json) {
    io.print(JSON.stringify(answer, undefined, 2));
  } else {
    const paint = createColors(io.isTerminal);
    for (const line of recoverView(report, io.nowMs(), paint)) io.print(line);
    io.print("");
  }
  if (report.refusal !== "") return false;
  if (report.doubts.length > 0 && !force) {
    io.complain('Nothing was done. To recover in spite of the doubts, run "gam recover --force"');
    return false;
  }
  if (!yes && !(await insists(io, force))) return true;
  await client.post("/gam/v1/recover", { force });
  io.print('This host continues alone. Run "gam status" to see which hosts come back');
  return true;
}

/** Returns: whether the user typed the word; false without a terminal. Errors: REFUSED for another word. */
async function insists(io: CommandIo, force: boolean): Promise<boolean> {
  const command = `gam recover --yes${force ? " --force" : ""}`;
  if (io.ask === undefined) {
    io.complain(`Nothing was done. To recover, run "${command}"`);
    return false;
  }
  const said = await io.ask(`Type "${word}" if the hosts that do not answer are gone for good: `);
  if (said.trim() === word) return true;
  throw new GamError("REFUSED", `Nothing was done: found "${said.trim()}" instead of "${word}"`);
}
