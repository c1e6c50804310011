/**
 * Program: the commands and their options. The code of a command is loaded only when the command runs, so
 * that `gam --help` is quick.
 *
 * Exit codes: 0 done, 1 failed or something is wrong, 2 wrong usage, 130 ended by Ctrl-C.
 */
import { GamError } from "@gam/core";
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import type { AgentClient } from "./agent/agent-client.ts";
import type { CommandIo } from "./agent/command-io.ts";
import type { RolloutVerb } from "./commands/service-commands.ts";
import { addHostCommands, advertise, type Ends, type OpenClient } from "./host-commands.ts";
import { addHttpCommands } from "./http-commands.ts";
import { type CommandText, commandTexts } from "./reference/command-tree.ts";
import { completionScripts, type Shell, shells } from "./reference/shells.ts";

const socketDefault = "/run/gam.sock";

/** Runs one command line. Returns: its exit code. Rejects only for a bug, never for a failure in operation. */
export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    let exit = 0;
    const ends: Ends = {
      unhealthy: () => {
        exit = 1;
      },
      interrupted: () => {
        exit = interruptedExit;
      },
    };
    await build(io, ends).parseAsync([...args], { from: "user" });
    return exit;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    if (!(thrown instanceof GamError)) throw thrown;
    io.complain(`gam: ${thrown.message}`);
    return 1;
  }
}

/** What all commands take and do, for docs/commands.md and the manual page. */
export function allCommandTexts(): CommandText[] {
  const silent = () => undefined;
  const io: CommandIo = {
    environment: {},
    cwd: "/",
    isTerminal: false,
    nowMs: () => 0,
    pause: () => Promise.resolve(),
    onInterrupt: () => silent,
    print: silent,
    complain: silent,
  };
  return commandTexts(build(io, { unhealthy: silent, interrupted: silent }));
}

/** 128 and the number of SIGINT, as shells expect. */
const interruptedExit = 130;

function build(io: CommandIo, { unhealthy, interrupted }: Ends): Command {
  const program = new Command("gam")
    .description("Runs containers on many hosts as if they were one")
    .version(manifest.version, "-v, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .option(
      "-s, --socket <path>",
      "socket of this host's agent (env: GAM_SOCKET)",
      // Not commander's env(): it reads the variables of this process, and tests pass their own.
      io.environment.GAM_SOCKET || socketDefault,
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.print(text.trimEnd()),
      writeErr: (text) => io.complain(text.trimEnd().replace(/^error: /, "gam: ")),
    })
    .showHelpAfterError('("gam --help" shows the commands)')
    .hook("preAction", (_, command) => refuseEmpty(command));

  const client = async (): Promise<AgentClient> => {
    const { AgentClient } = await import("./agent/agent-client.ts");
    return new AgentClient(program.opts<{ socket: string }>().socket);
  };
  addAgentCommand(program);
  addMeshCommands(program, client, io);
  addHostCommands(program, client, { io, interrupted, unhealthy });
  addSeeCommands(program, client, io);
  addDoctorCommand(program, client, io, unhealthy);
  addWhyCommand(program, client, io);
  addRecoverCommand(program, client, io, unhealthy);
  addScaleCommands(program, client, io);
  addJobCommands(program, client, { io, unhealthy });
  addImageCommands(program, client, { io, unhealthy });
  addHttpCommands(program, client, io);
  addPolicyCommands(program, client, io);
  addServiceCommands(program, client, io);
  addStackCommands(program, client, { io, interrupted, unhealthy });
  addBackupCommands(addVolumeCommands(program, client, io), client, { io, unhealthy });
  addExportCommand(program, client, io);
  addNodeCommands(program, client, { io, interrupted });
  addCompletionCommands(program, client, io);
  return program;
}

/** An empty name is a variable of a script that is not set. In a path it would ask for the list of all. */
function refuseEmpty(command: Command): void {
  const at = command.args.indexOf("");
  // For "complete" it is the word that the user begins.
  if (at < 0 || command.name() === "complete") return;
  const known = command.registeredArguments;
  const name = (known[at] ?? known.at(-1))?.name() ?? "";
  command.error(`error: argument '${name}' is empty`);
}

function addAgentCommand(program: Command): void {
  program
    .command("agent")
    .description("run the agent of this host in the foreground")
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => {
      throw new GamError(
        "NOT_SUPPORTED",
        'Cannot run the agent from here. Run "scripts/gam agent"',
      );
    });
}

function addMeshCommands(program: Command, client: OpenClient, io: CommandIo): void {
  const mesh = () => import("./commands/mesh-commands.ts");
  program
    .command("init")
    .description("begin a mesh with this host")
    .addOption(advertise())
    .action(async (options) => (await mesh()).init(await client(), io, options));
  program
    .command("leave")
    .description("take this host out of its mesh")
    .option("--force", "leave even if the cluster cannot be informed, or if this is the last host")
    .action(async (options) => (await mesh()).leave(await client(), io, options));
  program
    .command("unlock")
    .description("let this manager take part again, after it was started while managers are locked")
    .option("--key-file <file>", 'file with the unlock key, "-" for standard input')
    .action(async (options) => (await mesh()).unlock(await client(), io, options));
  program
    .command("token")
    .description("show the tokens with which other hosts join")
    .option("--rotate", "make new tokens and refuse the old ones")
    .addOption(
      new Option("--role <role>", "print only the token of this role").choices([
        "worker",
        "manager",
      ]),
    )
    .action(async (options) => (await mesh()).token(await client(), io, options));
  program
    .command("status")
    .description("show the hosts of the mesh, the leader, and what is wrong")
    .option("-w, --watch", "show it again whenever it changes, until Ctrl-C")
    .addOption(new Option("--json", "print JSON, for programs").conflicts("watch"))
    .action(async (options) => (await mesh()).status(await client(), io, options));
}

function addSeeCommands(program: Command, client: OpenClient, io: CommandIo): void {
  const see = () => import("./commands/see/see-commands.ts");
  program
    .command("events")
    .description("show what happened in the cluster, as far as the state keeps it")
    .option("--since <time>", "how long ago (10m, 2h, 3d) or a date", "1h")
    .option("-f, --follow", "go on with what happens from now on")
    .option("--containers", "also the events of the containers of all hosts")
    .option("--json", "print a JSON object a line, for programs")
    .action(async (options) => (await see()).events(await client(), io, options));
  program
    .command("logs")
    .description("show the log of a service, a task or a container, on any host")
    .argument("<name>", 'a service, a task ("web.1" or its id) or a container (HOST/NAME)')
    .option("-f, --follow", "go on with what is printed from now on")
    .option("--since <time>", "how long ago (10m, 2h, 3d) or a date")
    .option("-n, --tail <lines>", "only the last lines of each log", "all")
    .option("-t, --timestamps", "show the time of each line")
    .action(async (name, options) => (await see()).logs(await client(), io, { name, ...options }));
}

function addDoctorCommand(
  program: Command,
  client: OpenClient,
  io: CommandIo,
  unhealthy: () => void,
): void {
  program
    .command("doctor")
    .description(
      "check what the hosts need, and show what to do; exit code 1 when something is wrong",
    )
    .option(
      "--fix",
      "let hosts mend what they can by themselves (it ends no container), then check",
    )
    .option("--json", "print JSON, for programs")
    .action(async (options) => {
      const { doctor } = await import("./commands/doctor.ts");
      if (!(await doctor(await client(), io, options))) unhealthy();
    });
}

function addWhyCommand(program: Command, client: OpenClient, io: CommandIo): void {
  program
    .command("why")
    .description("say why a service, a task or a node is as it is, and how each node looks to it")
    .argument("<name>", 'a service, a task ("web.1" or its id) or a node')
    .option("--json", "print JSON, for programs")
    .action(async (name, options) => {
      const { why } = await import("./commands/why.ts");
      await why(await client(), io, { name, ...options });
    });
}

function addRecoverCommand(
  program: Command,
  client: OpenClient,
  io: CommandIo,
  unhealthy: () => void,
): void {
  program
    .command("recover")
    .description(
      "when a majority is gone for good: show what this host has, ask, and continue with it alone",
    )
    .option("--yes", "do not ask")
    .option(
      "--force",
      "even if another host has more of the log, or a majority answers but elects no leader",
    )
    .option("--json", "print JSON, for programs")
    .action(async (options) => {
      const { recover } = await import("./commands/recover.ts");
      if (!(await recover(await client(), io, options))) unhealthy();
    });
}

function addScaleCommands(program: Command, client: OpenClient, io: CommandIo): void {
  program
    .command("autoscale")
    .description("show the services whose replicas follow their load, and each decision with why")
    .argument("[service]", "name or id of a service, to show all of its decisions")
    .option("--json", "print JSON, for programs")
    .action(async (service, options) => {
      const { autoscale } = await import("./commands/autoscale.ts");
      await autoscale(await client(), io, { service, ...options });
    });
  program
    .command("rebalance")
    .description("move tasks to hosts that suit them better: one after the other, new before old")
    .option("--plan", "show what would move, is moved and was moved, and why; move nothing")
    .addOption(
      new Option("--auto <switch>", "let the cluster move tasks by itself")
        .choices(["on", "off"])
        .conflicts("plan"),
    )
    .addOption(new Option("--stop", "begin no further move").conflicts(["plan", "auto"]))
    .option("-d, --detach", "do not wait until all have moved")
    .option("--json", "with --plan: print JSON, for programs")
    .action(async (options) => {
      const { rebalance } = await import("./commands/rebalance.ts");
      await rebalance(await client(), io, options);
    });
}

function addPolicyCommands(program: Command, client: OpenClient, io: CommandIo): void {
  const policies = () => import("./commands/policy.ts");
  const power = "privileged, devices, host-namespaces, host-network or host-paths";
  const policy = program
    .command("policy")
    .description("show which services may have power over their hosts, or change it")
    .option("--json", "print JSON, for programs")
    .action(async (options) => (await policies()).showPolicy(await client(), io, options));
  policy
    .command("allow")
    .description("allow a power to services")
    .argument("<power>", power)
    .argument("<services...>", "names of services; * stands for any letters")
    .action(async (power, allow) =>
      (await policies()).changePolicy(await client(), io, { power, allow }),
    );
  policy
    .command("deny")
    .description("take names out of those that may have a power; running tasks go on")
    .argument("<power>", power)
    .argument("[services...]", "names as the policy has them; none: all of them")
    .action(async (power, deny) =>
      (await policies()).changePolicy(await client(), io, { power, deny }),
    );
}

function addServiceCommands(program: Command, client: OpenClient, io: CommandIo): void {
  const commands = () => import("./commands/service-commands.ts");
  const service = program
    .command("service")
    .description("the specs that services have had, and rollouts");
  service
    .command("history")
    .description("show the last ten specs of a service, and what was changed in each")
    .argument("<name>", "name or id of the service")
    .option("--json", "print JSON, for programs")
    .action(async (name, options) =>
      (await commands()).history(await client(), io, { name, ...options }),
    );
  service
    .command("diff")
    .description("show what is different between two revisions of a service")
    .argument("<name>", "name or id of the service")
    .option("--from <revision>", "default: the one before the other")
    .option("--to <revision>", "default: the present one")
    .action(async (name, options) =>
      (await commands()).difference(await client(), io, { name, ...options }),
    );
  service
    .command("rollback")
    .description("update a service to an earlier revision, with its present number of replicas")
    .argument("<name>", "name or id of the service")
    .requiredOption("--to <revision>", "its number in the history", revisionNumber)
    .action(async (name, options) =>
      (await commands()).rollback(await client(), io, { name, ...options }),
    );
  service
    .command("rollout")
    .description("show how far a canary or blue-green rollout is")
    .argument("<name>", "name or id of the service")
    .option("--json", "print JSON, for programs")
    .action(async (name, options) =>
      (await commands()).rollout(await client(), io, { name, ...options }),
    );
  const actions: Record<RolloutVerb, string> = {
    pause: "hold a rollout at its present weight",
    resume: "let a paused rollout go on; a step without a time is over",
    promote: "skip the other steps of a rollout",
    abort: "undo a rollout: the old version gets all connections at once",
  };
  for (const [action, description] of Object.entries(actions) as [RolloutVerb, string][]) {
    service
      .command(action)
      .description(description)
      .argument("<name>", "name or id of the service")
      .action(async (name) => (await commands()).steer(await client(), io, { name, action }));
  }
}

function revisionNumber(word: string): number {
  if (/^[1-9]\d{0,8}$/.test(word)) return Number(word);
  throw new InvalidArgumentError("Use a number from 1");
}

function addStackCommands(
  program: Command,
  client: OpenClient,
  { io, interrupted, unhealthy }: Ends & { readonly io: CommandIo },
): void {
  const stacks = () => import("./commands/stacks/stack-commands.ts");
  const stack = program.command("stack").description("deploy stacks without the docker client");
  const collect = (one: string, all: string[]): string[] => [...all, one];
  const none: string[] = [];
  const files = (command: Command): Command =>
    command
      .requiredOption(
        "-c, --compose-file <file>",
        'stack file, "-" for standard input; repeat, or use commas, for files that override it',
        (files: string, before: string[] | undefined) => [...(before ?? []), ...files.split(",")],
      )
      .option("--profile <profile>", "also services of this profile; * for all", collect, none);
  files(stack.command("deploy").alias("up"))
    .description("create or update the stack that the files describe, and wait until it runs")
    .argument("<name>", "name of the stack", stackName)
    .addOption(
      new Option("-d, --detach [yes]", "do not wait until the services run")
        .default(false, "false")
        .preset(true)
        .argParser(yesOrNo),
    )
    .option("--prune", "remove services that the files no longer have")
    .option("-q, --quiet", "do not show the progress")
    .addOption(
      new Option("--resolve-image <when>", "ask the registry for the image's digest")
        .choices(["always", "changed", "never"])
        .default("always"),
    )
    .option("--with-registry-auth", "give the nodes the docker client's credentials for registries")
    .option(
      "--plan",
      "change nothing; show what would change, where tasks would go, and what fits nowhere",
    )
    .option("--json", "with --plan: print JSON, for programs")
    .action(async (name, options) => {
      const isDone = await (await stacks()).deploy(await client(), io, { name, ...options });
      if (!isDone) interrupted();
    });
  files(program.command("diff"))
    .description(
      "show what is different between stack files and what runs; exit code 1 if something is",
    )
    .argument("<name>", "name of the stack", stackName)
    .option("--json", "print JSON, for programs")
    .action(async (name, options) => {
      if (!(await (await stacks()).diff(await client(), io, { name, ...options }))) unhealthy();
    });
  files(stack.command("config"))
    .description("print the files as one, with their variables filled in")
    .action(async (options) => (await stacks()).config(io, options));
  stack
    .command("ls")
    .alias("list")
    .description("show the stacks")
    .action(async () => (await stacks()).list(await client(), io));
  stack
    .command("services")
    .description("show the services of a stack")
    .argument("<name>", "name of the stack", stackName)
    .option("-f, --filter <key=value>", "show only these services", collect, none)
    .option("-q, --quiet", "show only ids")
    .action(async (name, options) =>
      (await stacks()).services(await client(), io, { name, ...options }),
    );
  stack
    .command("ps")
    .description("show the tasks of a stack")
    .argument("<name>", "name of the stack", stackName)
    .option("-f, --filter <key=value>", "show only these tasks", collect, none)
    .option("--no-resolve", "show ids of services and nodes instead of names")
    .option("--no-trunc", "show whole ids, images and errors")
    .option("-q, --quiet", "show only ids")
    .action(async (name, options) =>
      (await stacks()).tasks(await client(), io, { name, ...options }),
    );
  stack
    .command("rm")
    .aliases(["remove", "down"])
    .description("remove stacks")
    .argument("<names...>", "names of the stacks")
    .action(async (names) => (await stacks()).remove(await client(), io, names));
}

function addImageCommands(
  program: Command,
  client: OpenClient,
  { io, unhealthy }: { readonly io: CommandIo; readonly unhealthy: () => void },
): void {
  const images = () => import("./commands/image-commands.ts");
  const image = program.command("image").description("show, send and delete images on all hosts");
  image
    .command("ls")
    .alias("list")
    .description("show which hosts have which images")
    .option("--no-trunc", "show whole ids")
    .option("--json", "print JSON, for programs")
    .action(async (options) => (await images()).list(await client(), io, options));
  image
    .command("push")
    .description("send an image of this host to others, before a task needs it there")
    .argument("<image>", "name or id of an image that this host has")
    .argument("[hosts...]", "names or ids of hosts; all hosts for none")
    .action(async (image, hosts) => {
      if (!(await (await images()).push(await client(), io, { image, hosts }))) unhealthy();
    });
  image
    .command("prune")
    .description("show images that no service uses, ask, and delete them")
    .argument("[hosts...]", "names or ids of hosts; all hosts for none")
    .option("-a, --all", "also images with a tag")
    .option("--yes", "do not ask")
    .option("--json", "print JSON, for programs")
    .action(async (hosts, options) => {
      if (!(await (await images()).prune(await client(), io, { hosts, ...options }))) unhealthy();
    });
}

function addJobCommands(
  program: Command,
  client: OpenClient,
  { io, unhealthy }: { readonly io: CommandIo; readonly unhealthy: () => void },
): void {
  const jobs = () => import("./commands/job-commands.ts");
  const job = program.command("job").description("show jobs and their runs, and run a job now");
  job
    .command("ls")
    .alias("list")
    .description("show the jobs, when they run next, and how the last run ended")
    .option("--json", "print JSON, for programs")
    .action(async (options) => (await jobs()).list(await client(), io, options));
  job
    .command("run")
    .description("begin a run of the job now")
    .argument("<name>", "name or id of the service")
    .option("-w, --wait", "wait for its end; exit code 1 when it has failed")
    .action(async (name, options) => {
      if (!(await (await jobs()).runNow(await client(), io, { name, ...options }))) unhealthy();
    });
  job
    .command("history")
    .description("show the kept runs of the job, and the due times that had none")
    .argument("<name>", "name or id of the service")
    .option("--json", "print JSON, for programs")
    .action(async (name, options) =>
      (await jobs()).history(await client(), io, { name, ...options }),
    );
  job
    .command("logs")
    .description("show what the newest run, or another one, has printed")
    .argument("<name>", "name or id of the service")
    .option("--run <number>", 'number of the run, as in "gam job history"')
    .option("-t, --timestamps", "show the time of each line")
    .action(async (name, options) => (await jobs()).logs(await client(), io, { name, ...options }));
}

function addNodeCommands(
  program: Command,
  client: OpenClient,
  { io, interrupted }: { readonly io: CommandIo; readonly interrupted: () => void },
): void {
  const commands = () => import("./commands/node-commands.ts");
  program
    .command("drain")
    .description("move the tasks of a host to others, for example before it is updated")
    .argument("<host>", "name or id of the host")
    .option("-w, --wait", "wait until it has none")
    .action(async (host, options) => {
      const isDone = await (await commands()).drain(await client(), io, { host, ...options });
      if (!isDone) interrupted();
    });
  program
    .command("resume")
    .description("let a host take tasks again")
    .argument("<host>", "name or id of the host")
    .action(async (host) => (await commands()).resume(await client(), io, host));
  program
    .command("version")
    .description("show the version of this command, and of this host's agent")
    .action(async () => {
      const { version } = await import("./commands/version.ts");
      await version(await client(), io, manifest.version);
    });
}

function addExportCommand(program: Command, client: OpenClient, io: CommandIo): void {
  program
    .command("export")
    .description(
      "write stack files of what runs, which deploy to the same, and what they cannot say",
    )
    .argument("[stacks...]", "names of stacks; all of them, and services of no stack, for none")
    .option("-o, --output <folder>", "write files there; default: print the only one")
    .option("--force", "replace files that are there")
    .action(async (stacks, options) => {
      const { exportStacks } = await import("./commands/stacks/export.ts");
      await exportStacks(await client(), io, { stacks, ...options });
    });
}

function addCompletionCommands(program: Command, client: OpenClient, io: CommandIo): void {
  program
    .command("completion")
    .description("print the script with which a shell completes command lines of gam")
    .addArgument(new Argument("<shell>", "for which shell").choices(shells))
    .addHelpText("after", "\nExample: source <(gam completion bash)")
    .action((shell: Shell) => io.print(completionScripts[shell].trimEnd()));
  program
    .command("complete", { hidden: true })
    .description("print what can stand at the end of a command line, for the scripts of completion")
    .argument("[words...]", "the words after gam; the last one is at the cursor")
    .action(async (words) => {
      const { complete } = await import("./commands/complete.ts");
      await complete(program, await client(), { io, words });
    });
}

function addVolumeCommands(program: Command, client: OpenClient, io: CommandIo): Command {
  const volumes = () => import("./commands/volume-commands.ts");
  const volume = program
    .command("volume")
    .description("show where the data of services is, move it, back it up and restore it");
  volume
    .command("ls")
    .alias("list")
    .description("show the local volumes that services use, and their hosts")
    .option("--json", "print JSON, for programs")
    .action(async (options) => (await volumes()).list(await client(), io, options));
  volume
    .command("move")
    .description("move a volume to another host; its service stops meanwhile, and starts there")
    .argument("<name>", "name of the volume")
    .argument("<host>", "the new host")
    .option("--from <host>", "the host that has the data, if several hosts have some")
    .option("-d, --detach", "do not wait for the end")
    .action(async (name, host, options) =>
      (await volumes()).move(await client(), io, { name, host, ...options }),
    );
  volume
    .command("stop-move")
    .description("give up a move: the service goes on where the data is")
    .argument("<name>", "name of the volume")
    .action(async (name) => (await volumes()).stopMove(await client(), io, name));
  return volume;
}

function addBackupCommands(
  volume: Command,
  client: OpenClient,
  { io, unhealthy }: { readonly io: CommandIo } & Pick<Ends, "unhealthy">,
): void {
  const backups = () => import("./commands/backup-commands.ts");
  const backup = volume
    .command("backup")
    .description("back up a volume to a file here, or to a place that the cluster can reach")
    .argument("<name>", "name of the volume")
    .option(
      "-o, --output <file>",
      "write a tar here, and its manifest beside it; - is standard output",
    )
    .option("--to <place>", "/folder of its host, host:/folder or s3://bucket/folder")
    .option("--secret <name>", "the docker secret with the credentials for the bucket")
    .option("--from <host>", "the host that has the data, if several hosts have some")
    .option("-d, --detach", "do not wait for the end")
    .action(async (name, options) =>
      (await backups()).backup(await client(), io, { name, ...options }),
    );
  backup
    .command("ls")
    .alias("list")
    .description("show schedules, backups, and due times that had none")
    .argument("[name]", "only of this volume")
    .option("--json", "print JSON, for programs")
    .action(async (name, options) =>
      (await backups()).list(await client(), io, { name, ...options }),
    );
  volume
    .command("restore")
    .description("show what a restore would do, ask, and replace the data of a volume by a backup")
    .argument("<name>", "name of the volume; it is made where the host has none")
    .option("-i, --input <file>", "a tar here; - is standard input")
    .option("--from <file>", "a tar at a place: host:/folder/x.tar or s3://bucket/folder/x.tar")
    .option(
      "--backup <id>",
      'a backup of "gam volume backup ls"; the newest one without any source',
    )
    .option("--secret <name>", "the docker secret with the credentials for the bucket")
    .option("--on <host>", "the host whose volume is restored")
    .option("--plan", "only show what it would do")
    .option("--yes", "do not ask")
    .option("--json", "print the plan as JSON, for programs")
    .option("-d, --detach", "do not wait until the data is in its place")
    .action(async (name, options) => {
      if (!(await (await backups()).restore(await client(), io, { name, ...options }))) unhealthy();
    });
}

function yesOrNo(word: string): boolean {
  if (/^(?:true|1|t)$/i.test(word)) return true;
  if (/^(?:false|0|f)$/i.test(word)) return false;
  throw new InvalidArgumentError("Use true or false");
}

function stackName(name: string): string {
  if (/^[a-z0-9][a-z0-9_.-]*$/i.test(name)) return name;
  throw new InvalidArgumentError(
    "Use letters, digits, dashes, dots and underscores, with a letter or digit first",
  );
}
