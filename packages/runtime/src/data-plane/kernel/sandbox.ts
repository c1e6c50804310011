/**
 * Sandbox: runs programs in a container's network namespace, which the engine names by a path.
 *
 * It enters by the path and not by a process of the container. When the container has gone, the path does not
 * exist, while a reused process id could lead into another namespace.
 */
import { check, type NetworkId } from "@gam/core";
import {
  type DeviceName,
  deviceName,
  type EngineResolver,
  type InnerPorts,
  safePort,
} from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";
import { listLinks } from "./read-links.ts";

export interface Sandbox {
  /** Path of the file that stands for the namespace. */
  readonly path: string;
  /** The endpoints in gam's networks. */
  readonly endpoints: readonly SandboxEndpoint[];
  readonly resolver?: SandboxResolver;
}

/** The engine's resolver in a container. */
export interface SandboxResolver extends EngineResolver {
  /** The container has name servers of its own; otherwise the servers are the host's. */
  readonly isChosen: boolean;
  /** It asks servers of the host's loopback, from the host. */
  readonly asksHost: boolean;
}

export interface SandboxEndpoint {
  /** The engine's id of the endpoint; it changes when the container leaves the network and joins again. */
  readonly endpoint: string;
  readonly network: NetworkId;
  readonly address: string;
  readonly mac: string;
}

const limitMs = 5_000;
/** Characters that are also valid in a chain's name. */
const plainName = /^\w+$/;
const inside = check.list(
  check.object({
    link_index: check.optional(check.integer()),
    address: check.optional(check.string(64)),
  }),
  4096,
);

/** Runs programs in a network namespace. */
export function enter(run: Run, path: string): Run {
  return (program, args, options) =>
    run("nsenter", [`--net=${path}`, program, ...args], { limitMs, ...options });
}

/**
 * Finds the host's ends of the links in some network namespaces.
 *
 * `runs`: one Run for each namespace. Returns: for each of them, MAC address inside to name of the device outside;
 * `undefined` for a namespace that has gone. Errors: CommandFailed, GamError BAD_FRAME.
 */
export async function hostEnds(
  run: Run,
  runs: readonly Run[],
): Promise<(ReadonlyMap<string, DeviceName> | undefined)[]> {
  const found = await Promise.all(runs.map(linksUnlessGone));
  const outside = await listLinks(run);
  const veths = outside.filter(({ linkinfo }) => linkinfo?.info_kind === "veth");
  const names = new Map(veths.map(({ ifindex, ifname }) => [ifindex, ifname]));
  return found.map((links) => {
    if (links === undefined) return undefined;
    const ends = links.flatMap(({ address, link_index }): [string, DeviceName][] => {
      const name = deviceName(names.get(link_index) ?? "");
      const isPlain = name !== undefined && plainName.test(name);
      return address === undefined || !isPlain ? [] : [[address, name]];
    });
    return new Map(ends);
  });
}

async function linksUnlessGone(run: Run): Promise<ReturnType<typeof inside> | undefined> {
  try {
    return await linksIn(run);
  } catch (thrown) {
    if (thrown instanceof CommandFailed) return undefined;
    throw thrown;
  }
}

/** Links of a namespace, with the index of each link's other end. */
export async function linksIn(run: Run): Promise<ReturnType<typeof inside>> {
  return inside(JSON.parse(await run("ip", ["-j", "link", "show"])), "ip link");
}

/** Where the engine's resolver listens in a namespace; `undefined`: nowhere. Errors: CommandFailed. */
export async function innerPorts(run: Run): Promise<InnerPorts | undefined> {
  const [udp, tcp] = [
    listeningPort(await run("cat", ["/proc/net/udp"])),
    listeningPort(await run("cat", ["/proc/net/tcp"])),
  ];
  return udp === undefined || tcp === undefined ? undefined : { udp, tcp };
}

/** The port of a socket at 127.0.0.11 without another end, from a list of the kernel. */
function listeningPort(list: string): InnerPorts["udp"] | undefined {
  const [, digits = ""] = /^ *\d+: 0B00007F:([0-9A-F]{4}) 00000000:0000 /m.exec(list) ?? [];
  return safePort(Number.parseInt(digits, 16));
}
