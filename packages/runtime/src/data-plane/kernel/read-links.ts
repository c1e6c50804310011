/**
 * Read links: reads the kernel's devices with gam's names, in three calls of iproute2.
 *
 * Ignores devices with other names, so gam can never change them.
 */
import { check } from "@gam/core";
import { deviceName } from "@gam/network";
import type { Run } from "./command.ts";
import type { BridgeState, LinkState, OverlayState } from "./link-state.ts";

const text = check.string(1 << 16);
const number = check.integer(0, 2 ** 32);
const flag = check.boolean;
const many = 1 << 20;

const links = check.list(
  check.object({
    ifname: check.optional(text),
    ifindex: check.optional(number),
    flags: check.optional(check.list(text, 64)),
    mtu: check.optional(number),
    master: check.optional(text),
    address: check.optional(text),
    linkinfo: check.optional(
      check.object({
        info_kind: check.optional(text),
        info_data: check.optional(
          check.object({
            nf_call_iptables: check.optional(number),
            id: check.optional((value: unknown) => (typeof value === "number" ? value : 0)),
            local: check.optional(text),
            port: check.optional(number),
            learning: check.optional(flag),
            proxy: check.optional(flag),
          }),
        ),
        info_slave_data: check.optional(
          check.object({ learning: check.optional(flag), hairpin: check.optional(flag) }),
        ),
      }),
    ),
    addr_info: check.optional(
      check.list(
        check.object({
          family: check.optional(text),
          local: check.optional(text),
          prefixlen: check.optional(number),
        }),
        many,
      ),
    ),
  }),
  many,
);
const neighbours = check.list(
  check.object({
    dst: text,
    dev: text,
    lladdr: check.optional(text),
    state: check.optional(check.list(text, 16)),
  }),
  many,
);
const entries = check.list(
  check.object({
    mac: text,
    ifname: text,
    dst: check.optional(text),
    master: check.optional(text),
    state: check.optional(text),
  }),
  many,
);

export type KernelLink = ReturnType<typeof links>[number];

/** A bridge or VXLAN device of gam's. */
export function isOwnDevice(name: string): boolean {
  return /^gamx?-[0-9a-z]+$/.test(name);
}

/** Every device of the host, with its addresses. Errors: CommandFailed, GamError BAD_FRAME. */
export async function listLinks(run: Run): Promise<readonly KernelLink[]> {
  return links(read(await run("ip", ["-j", "-d", "addr", "show"])), "ip addr");
}

/** Errors: CommandFailed, GamError BAD_FRAME. */
export async function readLinks(run: Run): Promise<LinkState> {
  const all = await listLinks(run);
  const found = all.filter(({ ifname = "" }) => isOwnDevice(ifname));
  const foreign = all.filter(({ ifname = "" }) => !isOwnDevice(ifname));
  const overlays = found.filter(({ linkinfo }) => linkinfo?.info_kind === "vxlan");
  const tables = overlays.length > 0 ? await readTables(run) : undefined;
  return {
    bridges: new Map(
      found
        .filter(({ linkinfo }) => linkinfo?.info_kind === "bridge")
        .map((link) => [link.ifname ?? "", bridgeOf(link, foreign)]),
    ),
    overlays: new Map(
      overlays.map((link) => [link.ifname ?? "", overlayOf(link, tables?.get(link.ifname ?? ""))]),
    ),
  };
}

function bridgeOf(link: KernelLink, foreign: readonly KernelLink[]): BridgeState {
  // Skip a name with other characters: it would break the batch line that it stands in. Docker makes none.
  const ports = foreign.filter(
    ({ master, ifname = "" }) => master === link.ifname && deviceName(ifname) !== undefined,
  );
  const own = (link.addr_info ?? []).filter(({ family }) => family === "inet");
  return {
    mac: link.address ?? "",
    mtu: link.mtu ?? 0,
    up: link.flags?.includes("UP") ?? false,
    filtered: link.linkinfo?.info_data?.nf_call_iptables === 1,
    addresses: new Set(own.map(({ local, prefixlen }) => `${local}/${prefixlen}`)),
    ports: new Map(
      ports.map(({ ifname = "", linkinfo }) => [
        ifname,
        linkinfo?.info_slave_data?.hairpin === true,
      ]),
    ),
  };
}

interface Tables {
  readonly neighbours: Map<string, string>;
  readonly routes: Map<string, string[]>;
  readonly pinned: Set<string>;
}

function overlayOf(link: KernelLink, tables: Tables | undefined): OverlayState {
  const { info_data: data, info_slave_data: port } = link.linkinfo ?? {};
  return {
    vni: data?.id ?? 0,
    port: data?.port ?? 0,
    local: data?.local ?? "",
    sound: data?.proxy === true && data.learning === false,
    mtu: link.mtu ?? 0,
    up: link.flags?.includes("UP") ?? false,
    bridge: link.master ?? "",
    taught: port?.learning === false,
    neighbours: tables?.neighbours ?? new Map(),
    routes: tables?.routes ?? new Map(),
    pinned: tables?.pinned ?? new Set(),
  };
}

/** Reads neighbours and forwarding entries, by device. */
async function readTables(run: Run): Promise<Map<string, Tables>> {
  const [neighbourText, entryText] = await Promise.all([
    run("ip", ["-4", "-j", "neigh", "show"]),
    run("bridge", ["-j", "fdb", "show"]),
  ]);
  const tables = new Map<string, Tables>();
  const tablesOf = (device: string): Tables | undefined => {
    if (!isOwnDevice(device)) return undefined;
    const known = tables.get(device);
    if (known !== undefined) return known;
    const made: Tables = { neighbours: new Map(), routes: new Map(), pinned: new Set() };
    tables.set(device, made);
    return made;
  };
  for (const { dst, dev, lladdr = "", state = [] } of neighbours(read(neighbourText), "ip neigh")) {
    const kept = state.includes("PERMANENT") ? lladdr : "";
    tablesOf(dev)?.neighbours.set(dst, kept);
  }
  for (const entry of entries(read(entryText), "bridge fdb")) {
    const table = tablesOf(entry.ifname);
    if (entry.dst !== undefined) {
      const sentTo = table?.routes.get(entry.mac) ?? [];
      table?.routes.set(entry.mac, [...sentTo, entry.dst]);
    } else if (entry.master !== undefined && entry.state === "static") {
      table?.pinned.add(entry.mac);
    }
  }
  return tables;
}

/** iproute2 writes nothing when a list is empty. */
function read(answer: string): unknown {
  return answer.trim() === "" ? [] : JSON.parse(answer);
}
