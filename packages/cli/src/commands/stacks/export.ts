/** gam export: stack files of what runs, that deploy to the same. */
import { existsSync, mkdirSync } from "node:fs";
import { BlockList } from "node:net";
import { dirname, join, resolve } from "node:path";
import { type RunningStack, stackLabel, type WrittenStack, writeStack } from "@gam/compose";
import { check, fromBase64, GamError, rethrowInvariant } from "@gam/core";
import { replaceFile } from "@gam/files";
import { readServiceSpec, type ServiceSpec } from "@gam/state";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { fileReason } from "../../agent/input-file.ts";

const itemsMax = 100_000;
const text = check.string(1 << 16);
const labels = check.optional(check.orNull(check.map(text, 10_000)));
const services = check.list(check.object({ Spec: (value: unknown) => value }), itemsMax);
const networks = check.list(
  check.object({
    Id: text,
    Name: text,
    Driver: check.optional(text),
    Labels: labels,
    Options: labels,
    Internal: check.optional(check.boolean),
    Attachable: check.optional(check.boolean),
    IPAM: check.optional(
      check.object({
        Config: check.optional(
          check.orNull(check.list(check.object({ Subnet: check.optional(text) }), 4096)),
        ),
      }),
    ),
  }),
  itemsMax,
);
const configs = check.list(
  check.object({
    Spec: check.object({
      Name: text,
      Labels: labels,
      Data: check.optional(check.string(1 << 24)),
      Templating: check.optional(check.orNull(check.object({ Name: text }))),
    }),
  }),
  itemsMax,
);
const swarm = check.object({
  DefaultAddrPool: check.optional(check.orNull(check.list(text, 4096))),
  SubnetSize: check.optional(check.integer()),
});

/** The cluster chooses it for each network, and refuses others. */
const vniOption = "com.docker.network.driver.overlay.vxlanid_list";

/** Services of no stack are in a file of this name. */
const looseName = "services";

export interface ExportOptions {
  /** None: all of them. */
  readonly stacks: readonly string[];
  readonly output?: string;
  readonly force?: boolean;
}

/** Errors: NOT_FOUND for a stack without services; BAD_REQUEST where a file is there or cannot be written. */
export async function exportStacks(
  client: AgentClient,
  io: CommandIo,
  { stacks, output, force = false }: ExportOptions,
): Promise<void> {
  const found = await runningStacks(client);
  const missing = stacks.find((name) => !found.some((one) => one.name === name));
  if (missing !== undefined) {
    const all = found.map(({ name }) => name).join(", ") || "none";
    throw new GamError("NOT_FOUND", `Cannot export stack ${missing}: the stacks are ${all}`);
  }
  const wanted = found.filter(({ name }) => stacks.length === 0 || stacks.includes(name));
  if (wanted.length === 0) throw new GamError("NOT_FOUND", "Cannot export: there are no services");
  if (output === undefined) return exportOne(io, wanted);
  const folder = resolve(io.cwd, output);
  const written = wanted.map((stack) => ({ name: stack.name, ...writeStack(stack) }));
  const files = written.flatMap((one) => filesOf(one.name, one));
  const there = force ? undefined : files.find(([path]) => existsSync(join(folder, path)));
  if (there !== undefined) {
    const path = join(folder, there[0]);
    throw new GamError(
      "BAD_REQUEST",
      `Cannot write ${path}: it is there. Use another folder, or --force`,
    );
  }
  for (const [path, data] of files) await write(join(folder, path), data);
  for (const { name, notes } of written) {
    io.print(`${join(output, `${name}.yml`)}: gam stack deploy -c ${name}.yml ${name}`);
    for (const note of notes) io.print(`  ${note}`);
  }
}

function exportOne(io: CommandIo, [stack, ...others]: readonly RunningStack[]): void {
  const written = stack && others.length === 0 ? writeStack(stack) : undefined;
  if (written === undefined || written.files.size > 0) {
    const why = written === undefined ? "there are several stacks" : "the stack has configs";
    throw new GamError("BAD_REQUEST", `Cannot print a file: ${why}. Name a folder with --output`);
  }
  io.print(written.text.trimEnd());
  for (const note of written.notes) io.complain(`gam: ${note}`);
}

function filesOf(name: string, { text, files }: WrittenStack): (readonly [string, Uint8Array])[] {
  return [[`${name}.yml`, Buffer.from(text)], ...files];
}

async function write(path: string, data: Uint8Array): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true });
    await replaceFile(path, data);
  } catch (cause) {
    rethrowInvariant(cause);
    throw new GamError("BAD_REQUEST", `Cannot write ${path}: ${fileReason(cause)}`, { cause });
  }
}

async function runningStacks(client: AgentClient): Promise<RunningStack[]> {
  const specs = services(await client.get("/services"), "services").map(({ Spec }) =>
    readServiceSpec(Spec, { checkTemplate: () => undefined }),
  );
  const isOfCluster = chosenBy(swarm(await client.get("/swarm"), "swarm"));
  const around = {
    networks: networks(await client.get("/networks"), "networks").map((one) => ({
      id: one.Id,
      name: one.Name,
      driver: one.Driver ?? "overlay",
      labels: one.Labels ?? {},
      options: askedOf(one.Options ?? {}),
      internal: one.Internal ?? false,
      attachable: one.Attachable ?? false,
      // The cluster chose those that are like all that it chooses.
      subnets: (one.IPAM?.Config ?? []).flatMap(({ Subnet = "" }) =>
        Subnet === "" || isOfCluster(Subnet) ? [] : [Subnet],
      ),
    })),
    configs: configs(await client.get("/configs"), "configs").map(({ Spec }) => ({
      name: Spec.Name,
      labels: Spec.Labels ?? {},
      data: fromBase64(Spec.Data ?? ""),
      template: Spec.Templating?.Name,
    })),
  };
  const byStack = Map.groupBy(specs, ({ Labels }) => Labels?.[stackLabel] ?? "");
  return [...byStack]
    .map(([stack, all]) => ({ name: nameFor(stack, byStack), services: byName(all), ...around }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns: the options that somebody asked for. */
function askedOf(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { [vniOption]: _, ...asked } = options;
  return asked;
}

/** Returns: whether a subnet is as the cluster chooses them: of its size, and in its pools. */
function chosenBy({ DefaultAddrPool, SubnetSize }: ReturnType<typeof swarm>) {
  const pools = new BlockList();
  for (const pool of DefaultAddrPool ?? []) {
    const [address = "", prefix] = pool.split("/");
    pools.addSubnet(address, Number(prefix));
  }
  return (subnet: string): boolean => {
    const [address = "", prefix] = subnet.split("/");
    return Number(prefix) === SubnetSize && pools.check(address);
  };
}

function nameFor(stack: string, all: ReadonlyMap<string, unknown>): string {
  if (stack !== "") return stack;
  let name = looseName;
  while (all.has(name)) name += "-";
  return name.replace(/-+$/, (dashes) => `${dashes.length + 1}`);
}

function byName(specs: readonly ServiceSpec[]): ServiceSpec[] {
  return [...specs].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}
