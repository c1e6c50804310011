/** gam version: this command's version, and that of this host's agent. */
import { GamError } from "@gam/core";
import { checkStatus } from "@gam/state/answers";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";

export async function version(client: AgentClient, io: CommandIo, own: string): Promise<void> {
  io.print(`command  ${own}`);
  try {
    const status = checkStatus(await client.get("/gam/v1/status"), "status");
    io.print(`agent    ${status.version}`);
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    // The command has a version without an agent, too.
    io.complain(`gam: ${thrown.message}`);
  }
}
