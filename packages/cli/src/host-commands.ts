/** Host commands: which hosts are in the mesh, and which gam they run. Their options, as in program.ts. */
import { GamError } from "@gam/core";
import { type Command, Option } from "commander";
import type { AgentClient } from "./agent/agent-client.ts";
import type { CommandIo } from "./agent/command-io.ts";

export type OpenClient = () => Promise<AgentClient>;

/** How a command ends that does not throw. */
export interface Ends {
  readonly unhealthy: () => void;
  readonly interrupted: () => void;
}

export const advertise = (): Option =>
  new Option(
    "--advertise <address>",
    "interface, host or host:port at which other hosts reach this one",
  );

export function addHostCommands(
  program: Command,
  client: OpenClient,
  { io, interrupted, unhealthy }: Ends & { readonly io: CommandIo },
): void {
  const mesh = () => import("./commands/mesh-commands.ts");
  const collect = (one: string, all: string[]): string[] => [...all, one];
  program
    .command("join")
    .description("join the mesh that the token belongs to")
    .argument("[token]", 'the token that "gam token" shows on a member, "-" for standard input')
    .argument("[addresses...]", "host:port of members, if those in the token have changed")
    .option("--token-file <file>", "file with the token, which then is not in the process list")
    .addOption(advertise())
    .action(async (token, more: string[], { tokenFile, ...options }, command: Command) => {
      if (token === undefined && tokenFile === undefined) {
        return command.error("error: missing required argument 'token'");
      }
      const words = token === undefined ? more : [token, ...more];
      const [first, ...others] = words;
      const said =
        tokenFile === undefined
          ? { token: first ?? "", addresses: others }
          : { tokenFile, addresses: words };
      await (await mesh()).join(await client(), io, { ...said, ...options });
    });
  program
    .command("up")
    .description(
      "make a cluster with this host; with hosts: install gam there over ssh, and join them",
    )
    .argument("[hosts...]", "as ssh takes them: root@host2")
    .option(
      "--package <file>",
      "package to install there; repeat it for other kinds of machines",
      collect,
      [],
    )
    .option("--sha256 <sum>", "of the package; without it, SHA256SUMS beside the file is read")
    .option("--worker", "join the hosts as workers")
    .addOption(advertise())
    .action(async (hosts, options) => {
      const { up } = await import("./fleet/up.ts");
      if (!(await up(await client(), io, { hosts, ...options }))) unhealthy();
    });
  program
    .command("upgrade")
    .description(
      "replace gam on all hosts, one after the other; without options: show which gam each host runs",
    )
    .addOption(
      new Option("--to <file>", "package to install; repeat it for other kinds of machines")
        .argParser(collect)
        .default([], "none"),
    )
    .option("--sha256 <sum>", "of the file; without it, SHA256SUMS beside the file is read")
    .addOption(
      new Option("--back", "install on each host what it ran before").conflicts(["sha256"]),
    )
    .option("--plan", "show what would be done, and in which order; install nothing")
    .option("--skip <host>", "leave out this host; may be repeated", collect, [])
    .action(async (options) => {
      if (options.back === true && options.to.length > 0) {
        throw new GamError("BAD_REQUEST", "Cannot use --to and --back together: choose one");
      }
      const { upgrade } = await import("./fleet/upgrade.ts");
      const end = await upgrade(await client(), io, options);
      if (end === "interrupted") interrupted();
      if (end === "failed") unhealthy();
    });
}
