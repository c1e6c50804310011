/**
 * Link steps: computes the commands that make gam's links match the plan.
 *
 * Decides the fewest commands, and their order. Bridges belong to the engine: a missing bridge is waited for, and
 * an extra one is left to the engine. VXLAN devices belong to gam, and so does every address and entry on both.
 */
import type { BridgeState, LinkState, OverlayState } from "./link-state.ts";

export interface LinkStep {
  /** The program whose batch the line belongs to. The batch of `ip` runs first. */
  readonly program: "ip" | "bridge";
  readonly line: string;
  /** The difference that was found, for people. */
  readonly found: string;
}

/** The part of `want` whose bridges exist in `have`. */
export function within(want: LinkState, have: LinkState): LinkState {
  return {
    bridges: new Map([...want.bridges].filter(([name]) => have.bridges.has(name))),
    overlays: new Map([...want.overlays].filter(([, { bridge }]) => have.bridges.has(bridge))),
  };
}

/** `want` plus the containers' ports of `have`, each with hairpin mode on. */
export function withPorts(want: LinkState, have: LinkState): LinkState {
  const bridges = [...want.bridges].map(([name, bridge]): [string, BridgeState] => {
    const ports = [...(have.bridges.get(name)?.ports.keys() ?? [])];
    return [name, { ...bridge, ports: new Map(ports.map((port) => [port, true])) }];
  });
  return { ...want, bridges: new Map(bridges) };
}

/** The steps from `have` to `want`; none when both are equal. Every bridge of `want` must be in `have`. */
export function linkSteps(have: LinkState, want: LinkState): LinkStep[] {
  const steps: LinkStep[] = [];
  for (const name of have.overlays.keys()) {
    if (want.overlays.has(name)) continue;
    steps.push({ program: "ip", line: `link del ${name}`, found: `${name} is not wanted` });
  }
  for (const [name, bridge] of want.bridges) {
    const found = have.bridges.get(name);
    if (found !== undefined) steps.push(...bridgeSteps(name, found, bridge));
  }
  for (const [name, overlay] of want.overlays) {
    steps.push(...overlaySteps(name, have.overlays.get(name), overlay));
  }
  return [...steps.filter(of("ip")), ...steps.filter(of("bridge"))];
}

function of(program: LinkStep["program"]): (step: LinkStep) => boolean {
  return (step) => step.program === program;
}

function bridgeSteps(name: string, have: BridgeState, want: BridgeState): LinkStep[] {
  const steps: LinkStep[] = [];
  const ip = (line: string, found: string): void => {
    steps.push({ program: "ip", line, found: `${name}: ${found}` });
  };
  if (have.mac !== want.mac) ip(`link set ${name} address ${want.mac}`, `MAC ${have.mac}`);
  if (have.mtu !== want.mtu) ip(`link set ${name} mtu ${want.mtu}`, `MTU ${have.mtu}`);
  if (!have.filtered) ip(`link set ${name} type bridge nf_call_iptables 1`, "unfiltered");
  if (!have.up) ip(`link set ${name} up`, "down");
  for (const address of have.addresses) {
    if (!want.addresses.has(address)) ip(`addr del ${address} dev ${name}`, `extra ${address}`);
  }
  for (const address of want.addresses) {
    if (!have.addresses.has(address)) ip(`addr add ${address} dev ${name}`, `no ${address}`);
  }
  for (const port of want.ports.keys()) {
    if (have.ports.get(port) !== false) continue;
    const line = `link set dev ${port} hairpin on`;
    steps.push({ program: "bridge", line, found: `${name}: ${port} without hairpin` });
  }
  return steps;
}

const bare: Pick<OverlayState, "mtu" | "up" | "bridge" | "taught"> = {
  mtu: 0,
  up: false,
  bridge: "",
  taught: false,
};
const empty = { neighbours: new Map(), routes: new Map(), pinned: new Set<string>() };

function overlaySteps(
  name: string,
  found: OverlayState | undefined,
  want: OverlayState,
): LinkStep[] {
  const steps: LinkStep[] = [];
  const ip = (line: string, what: string): void => {
    steps.push({ program: "ip", line, found: `${name}: ${what}` });
  };
  const same =
    found?.sound === want.sound &&
    found.vni === want.vni &&
    found.port === want.port &&
    found.local === want.local;
  if (found !== undefined && !same) ip(`link del ${name}`, "of another kind");
  if (!same) {
    const { vni, port, local } = want;
    // No outer checksum, because the inner packet has its own: not every network card can fill in both.
    // Source: RFC 7348, section 5.
    const kind = `type vxlan id ${vni} dstport ${port} local ${local}`;
    ip(`link add ${name} ${kind} nolearning proxy noudpcsum`, "missing");
    // Without an address of its own the device sends nothing by itself; nobody would receive it.
    ip(`link set ${name} addrgenmode none`, "missing");
  }
  const have = found !== undefined && same ? found : { ...bare, ...empty };
  if (have.mtu !== want.mtu) ip(`link set ${name} mtu ${want.mtu}`, `MTU ${have.mtu}`);
  if (have.bridge !== want.bridge) {
    ip(`link set ${name} master ${want.bridge}`, `master "${have.bridge}"`);
  }
  if (!have.taught || have.bridge !== want.bridge) {
    ip(`link set ${name} type bridge_slave learning off`, "learning");
  }
  if (!have.up) ip(`link set ${name} up`, "down");
  // A bridge drops a port's forwarding entries when the port leaves.
  const pinned = have.bridge === want.bridge ? have.pinned : empty.pinned;
  return [...steps, ...entrySteps(name, { ...have, pinned }, want)];
}

type Entries = Pick<OverlayState, "neighbours" | "routes" | "pinned">;

function entrySteps(name: string, have: Entries, want: Entries): LinkStep[] {
  const steps: LinkStep[] = [];
  const say = (program: LinkStep["program"], line: string, found: string): void => {
    steps.push({ program, line, found: `${name}: ${found}` });
  };
  for (const address of have.neighbours.keys()) {
    if (want.neighbours.has(address)) continue;
    say("ip", `neigh del ${address} dev ${name}`, `extra neighbour ${address}`);
  }
  for (const [address, mac] of want.neighbours) {
    if (have.neighbours.get(address) === mac) continue;
    const line = `neigh replace ${address} lladdr ${mac} dev ${name} nud permanent`;
    say("ip", line, `no neighbour ${address}`);
  }
  for (const mac of have.pinned) {
    if (want.pinned.has(mac)) continue;
    say("bridge", `fdb del ${mac} dev ${name} master`, `extra port entry ${mac}`);
  }
  for (const [mac, sentTo] of have.routes) {
    const wanted = want.routes.get(mac);
    // A route that only moves is replaced below, so that no frame is lost in between.
    if (wanted !== undefined && sentTo.length === 1) continue;
    for (const via of sentTo) {
      if (wanted?.includes(via)) continue;
      say("bridge", `fdb del ${mac} dev ${name} dst ${via} self`, `extra route ${mac} ${via}`);
    }
  }
  for (const [mac, [via]] of want.routes) {
    if (via === undefined || have.routes.get(mac)?.includes(via)) continue;
    const line = `fdb replace ${mac} dev ${name} dst ${via} self permanent`;
    say("bridge", line, `no route ${mac} ${via}`);
  }
  for (const mac of want.pinned) {
    if (have.pinned.has(mac)) continue;
    say("bridge", `fdb replace ${mac} dev ${name} master static`, `no port entry ${mac}`);
  }
  return steps;
}
