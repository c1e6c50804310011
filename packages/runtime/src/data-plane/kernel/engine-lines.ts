/**
 * Engine lines: the Docker engine's rules in the iptables chain FORWARD, and which of them somebody has removed.
 *
 * A firewall script that flushes FORWARD removes the engine's jumps to its own chains, and the engine restores
 * them only when it restarts. gam's rules are behind the first of these jumps, so published ports close.
 *
 * Decides what to put back: the lines that the chain had when gam last saw it whole. If gam has not seen them, it
 * makes them from the engine's other chains, which name its bridges. It restores no content of those chains.
 *
 * Source: rules of Engine 20.10 to 28 (libnetwork/drivers/bridge/setup_ip_tables.go, libnetwork/firewall_linux.go).
 */

/** Rules by chain, as `iptables -S` prints them, without the chain's name. */
export type Chains = ReadonlyMap<string, readonly string[]>;

const user = "DOCKER-USER";
/** Since Engine 28 all other rules of the engine are behind this jump. */
const forward = "DOCKER-FORWARD";
const isolation = "DOCKER-ISOLATION-STAGE-1";

/** The engine's lines in FORWARD, in order. */
export function engineLines(chains: Chains): string[] {
  const rules = chains.get("FORWARD") ?? [];
  const bridges = rules.flatMap((rule) => /^-o (\S+) -j DOCKER$/.exec(rule)?.[1] ?? []);
  const known = new Set([
    ...[user, forward, isolation].map((chain) => `-j ${chain}`),
    ...bridges.flatMap((bridge) => [
      ...linesOf(bridge),
      `-i ${bridge} -o ${bridge} -j ACCEPT`,
      `-i ${bridge} -o ${bridge} -j DROP`,
    ]),
  ]);
  return rules.filter((rule) => known.has(rule));
}

/** The lines to put back at the head of FORWARD, in order. `seen`: engineLines() of the whole chain; may be empty. */
export function lostLines(chains: Chains, seen: readonly string[]): string[] {
  const rules = chains.get("FORWARD") ?? [];
  const jumps = jumpsOf(chains);
  if (jumps.every((jump) => rules.includes(jump))) return [];
  const whole = seen.length > 0 ? seen : [...jumps, ...madeLines(chains)];
  const isThere = (rule: string): boolean => {
    const target = /-j (DOCKER\S*)$/.exec(rule)?.[1];
    return target === undefined || chains.has(target);
  };
  const first = jumps.filter((jump) => !whole.includes(jump));
  return [...first, ...whole].filter((rule) => isThere(rule) && !rules.includes(rule));
}

/** The engine's jumps that FORWARD has more than once, each as often as it is too many. */
export function doubleJumps(chains: Chains): string[] {
  const rules = chains.get("FORWARD") ?? [];
  return jumpsOf(chains).flatMap((jump) => rules.filter((rule) => rule === jump).slice(1));
}

function linesOf(bridge: string): string[] {
  return [
    `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-o ${bridge} -j DOCKER`,
    `-i ${bridge} ! -o ${bridge} -j ACCEPT`,
  ];
}

/**
 * The lines that an engine before 28 has for each bridge that is not internal. Whether containers of an engine's
 * own bridge may reach each other (option icc) is not known, so only gam's bridges get that line.
 */
function madeLines(chains: Chains): string[] {
  if (!chains.has("DOCKER") || chains.has(forward)) return [];
  return bridgesOf(chains).flatMap((bridge) => [
    ...linesOf(bridge),
    ...(bridge.startsWith("gam-") ? [`-i ${bridge} -o ${bridge} -j ACCEPT`] : []),
  ]);
}

/** The engine's bridges that are not internal. */
function bridgesOf(chains: Chains): string[] {
  const stage = / ! -o (\S+) -j DOCKER-ISOLATION-STAGE-2$/;
  return (chains.get(isolation) ?? []).flatMap((rule) => stage.exec(rule)?.[1] ?? []);
}

/** Whether rules of the engine are missing that only the engine can restore. */
export function lacksEngine(chains: Chains): boolean {
  const isEmpty = (chain: string): boolean => chains.get(chain)?.length === 0;
  if (isEmpty(forward) || isEmpty(isolation)) return true;
  const isOld = chains.has("DOCKER") && !chains.has(forward) && bridgesOf(chains).length > 0;
  return isOld && !(chains.get("FORWARD") ?? []).some((rule) => / -j DOCKER$/.test(rule));
}

/** The jumps that an engine with these chains makes from FORWARD. */
function jumpsOf(chains: Chains): string[] {
  const second = chains.has(forward) ? forward : isolation;
  return [user, second].filter((chain) => chains.has(chain)).map((chain) => `-j ${chain}`);
}
