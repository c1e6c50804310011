/**
 * Nft table: describes one nftables table as a value, and writes it as text for `nft -f -`.
 *
 * Drive it with wholeTable() once, and with tableChange() from then on. Each is one transaction. A change is
 * only as long as the difference. The content is decided by host-table.ts, container-table.ts and
 * fast-path-table.ts.
 *
 * Source: nft(8) 1.0.6.
 */
export interface NftTable {
  readonly family: "ip" | "ip6" | "netdev";
  /**
   * Objects that survive a rewrite of the whole table, with all that the kernel has put into them: kind and
   * name, as in "ct timeout brief", to the object's lines.
   */
  readonly lasting: ReadonlyMap<string, readonly string[]>;
  readonly sets: ReadonlyMap<string, ElementSet>;
  /** Name to lines; a base chain begins with its hook. Chains come before those that jump to them. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

export interface ElementSet {
  readonly kind: "set" | "map";
  readonly type: string;
  /** Key to value; the value is "" in sets. */
  readonly elements: ReadonlyMap<string, string>;
}

/** All tables have this name. */
export const tableName = "gam";

export function setOf(type: string, keys: readonly string[]): ElementSet {
  return { kind: "set", type, elements: new Map(keys.map((key) => [key, ""])) };
}

/** Device names are quoted in elements and rules. */
export const quoted = (name: string): string => `"${name}"`;

export function mapOf(type: string, elements: readonly (readonly [string, string])[]): ElementSet {
  return { kind: "map", type, elements: new Map(elements) };
}

/**
 * Writes the whole table in place of the existing one. `old`: the existing table, as nft lists it or as the text
 * that made it; absent when there is none.
 *
 * Keeps only the lasting objects of the old one. So for a moment old chains look into sets that are already empty,
 * and a connection that begins then finds no rule.
 */
export function wholeTable(table: NftTable, old = ""): string {
  return tableOver(table, old, false);
}

/**
 * Refills existing chains and sets in one transaction; entries in both versions never disappear. nft refuses it
 * when a chain or set has another type or hook: use wholeTable() then.
 */
export function refilledTable(table: NftTable, old: string): string {
  return tableOver(table, old, true);
}

function tableOver(
  { family, lasting, sets, chains }: NftTable,
  old: string,
  keeps: boolean,
): string {
  const at = `${family} ${tableName}`;
  const lines = [`table ${at} {`, "}", `flush table ${at}`];
  const isInBoth = (kind: string, name: string): boolean =>
    kind === "chain" ? chains.has(name) : sets.get(name)?.kind === kind;
  const parts = [...old.matchAll(/^\t(\w+(?: \w+)?) (\S+) \{$/gm)].flatMap(
    ([, kind = "", name = ""]) => (lasting.has(`${kind} ${name}`) ? [] : { kind, name }),
  );
  // Maps go first, because they refer to chains.
  parts.sort((a, b) => Number(b.kind === "map") - Number(a.kind === "map"));
  for (const { kind, name } of parts) {
    const isKept = keeps && isInBoth(kind, name);
    if (!isKept) lines.push(`delete ${kind} ${at} ${name}`);
    else if (kind !== "chain") lines.push(`flush ${kind} ${at} ${name}`);
  }
  lines.push(`table ${at} {`);
  for (const [name, body] of lasting) {
    lines.push(`\t${name} {`, ...body.map((line) => `\t\t${line}`), "\t}");
  }
  for (const [name, { kind, type, elements }] of sets) {
    lines.push(`\t${kind} ${name} {`, `\t\t${type}`);
    if (elements.size > 0) lines.push(`\t\telements = { ${listOf(elements)} }`);
    lines.push("\t}");
  }
  // Sets may be used before their definition in the block, chains only after it.
  for (const [name, rules] of chains) {
    lines.push(`\tchain ${name} {`, ...rules.map((rule) => `\t\t${rule}`), "\t}");
  }
  return `${[...lines, "}"].join("\n")}\n`;
}

/** The change from one table to another of the same family; "" when they are equal. */
export function tableChange(was: NftTable, is: NftTable): string {
  if (was === is) return "";
  const at = `${is.family} ${tableName}`;
  const lines: string[] = [];
  for (const [name, { kind, type }] of is.sets) {
    if (!was.sets.has(name)) lines.push(`add ${kind} ${at} ${name} { ${type}; }`);
  }
  const moved = new Set<string>();
  for (const [name, rules] of is.chains) {
    const old = was.chains.get(name);
    if (old !== undefined && old.join("\n") === rules.join("\n")) continue;
    moved.add(name);
    const hook = rules.find(isHook);
    if (old !== undefined) lines.push(`flush chain ${at} ${name}`);
    else lines.push(`add chain ${at} ${name}${hook === undefined ? "" : ` { ${hook} }`}`);
  }
  for (const [name, { elements }] of is.sets) {
    const old = was.sets.get(name)?.elements ?? new Map<string, string>();
    const lost = missing(old, elements);
    const found = missing(elements, old);
    if (lost.size > 0) lines.push(`delete element ${at} ${name} { ${listOf(lost)} }`);
    if (found.size > 0) lines.push(`add element ${at} ${name} { ${listOf(found)} }`);
  }
  for (const name of moved) {
    for (const rule of is.chains.get(name) ?? []) {
      if (!isHook(rule)) lines.push(`add rule ${at} ${name} ${rule}`);
    }
  }
  // Elements and rules refer to chains, rules to sets: a reference must go before what it refers to.
  for (const [name, { kind }] of was.sets) {
    if (kind === "map" && !is.sets.has(name)) lines.push(`flush map ${at} ${name}`);
  }
  const gone = [...was.chains.keys()].filter((name) => !is.chains.has(name));
  lines.push(...gone.map((name) => `flush chain ${at} ${name}`));
  lines.push(...gone.map((name) => `delete chain ${at} ${name}`));
  for (const [name, { kind }] of was.sets) {
    if (!is.sets.has(name)) lines.push(`delete ${kind} ${at} ${name}`);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function missing(
  from: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
): Map<string, string> {
  return new Map([...from].filter(([key, value]) => there.get(key) !== value));
}

function listOf(elements: ReadonlyMap<string, string>): string {
  return [...elements].map(([key, value]) => (value === "" ? key : `${key} : ${value}`)).join(", ");
}

const isHook = (line: string): boolean => line.startsWith("type ");
