/**
 * Affinity: which nodes a service wants for its neighbours: `gam.affinity` and `gam.antiaffinity`.
 *
 * A task counts where it runs or will run, until it is told to leave. The rule of a service that keeps away from
 * another holds for both, whichever is placed later. Affects placement only: no running task moves because of it.
 */
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import {
  affinityByLabel,
  affinityLabel,
  antiAffinityByLabel,
  antiAffinityLabel,
  compareStates,
  isTerminal,
  isWanted,
  meetsConstraints,
  type Node,
  type PlacementTerm,
  readLabel,
  type Service,
  serviceMeant,
  type View,
} from "@gam/state";

/** Where the tasks of each service are, with those that this plan has placed. */
export class Neighbours {
  readonly #view: View;
  readonly #counts = new Map<ServiceId, Map<NodeId, number>>();
  #avoiders: readonly Service[] | undefined;

  readonly #without: TaskId | undefined;

  /** `without`: a task that does not count. */
  constructor(view: View, without?: TaskId) {
    this.#view = view;
    this.#without = without;
  }

  /** Returns: the nodes that have tasks of the service. */
  nodesOf(id: ServiceId): ReadonlyMap<NodeId, number> {
    let counts = this.#counts.get(id);
    if (counts !== undefined) return counts;
    counts = new Map();
    this.#counts.set(id, counts);
    for (const { NodeID, Status, ...task } of this.#view.tasksOf(id)) {
      if (task.ID === this.#without) continue;
      if (NodeID === undefined || !isWanted(task) || isTerminal(Status.State)) continue;
      if (compareStates(Status.State, "assigned") >= 0) add(counts, NodeID);
    }
    return counts;
  }

  placed(id: ServiceId, node: NodeId): void {
    this.nodesOf(id);
    add(this.#counts.get(id) ?? new Map(), node);
  }

  /** Services that keep away from others. */
  get avoiders(): readonly Service[] {
    this.#avoiders ??= this.#view
      .services()
      .filter(({ Spec }) => readLabel(antiAffinityLabel, Spec.Labels) !== undefined);
    return this.#avoiders;
  }
}

function add(counts: Map<NodeId, number>, node: NodeId): void {
  counts.set(node, (counts.get(node) ?? 0) + 1);
}

interface Rule {
  readonly soft: boolean;
  /** For messages: `affinity to service db`. */
  readonly words: string;
  readonly holds: (node: Node) => boolean;
}

export class Affinity {
  readonly #rules: readonly Rule[];
  /** Each placed task changes what the next may have. */
  readonly isOwn: boolean;

  constructor(rules: readonly Rule[], isOwn: boolean) {
    this.#rules = rules;
    this.isOwn = isOwn;
  }

  /** Returns: the rule that the node breaks; undefined if it may have the tasks. */
  breach(node: Node): string | undefined {
    return this.#rules.find(({ soft, holds }) => !soft && !holds(node))?.words;
  }

  /** Returns: how many preferences the node meets. */
  preference(node: Node): number {
    return this.#rules.filter(({ soft, holds }) => soft && holds(node)).length;
  }
}

/** Returns: the rules for tasks of the service; undefined for none. */
export function affinityOf(
  view: View,
  service: Service | undefined,
  neighbours: Neighbours,
): Affinity | undefined {
  if (service === undefined) return undefined;
  const { Labels } = service.Spec;
  const near = readLabel(affinityLabel, Labels) ?? [];
  const far = readLabel(antiAffinityLabel, Labels) ?? [];
  const meant = (name: string): Service | undefined => serviceMeant(view, service.Spec, name);
  const about = { view, service, neighbours, meant };
  const rules = [
    ...near.map((term) => nearRule(term, readLabel(affinityByLabel, Labels), about)),
    ...far.map((term) => farRule(term, readLabel(antiAffinityByLabel, Labels), about)),
    ...neighbours.avoiders.flatMap((other) => avoidedBy(other, about)),
  ];
  if (rules.length === 0) return undefined;
  const names = [...near, ...far].flatMap((term) => (term.kind === "service" ? [term.name] : []));
  return new Affinity(
    rules,
    names.some((name) => meant(name)?.ID === service.ID),
  );
}

interface About {
  readonly view: View;
  readonly service: Service;
  readonly neighbours: Neighbours;
  readonly meant: (name: string) => Service | undefined;
}

function nearRule(term: PlacementTerm, by: string | undefined, about: About): Rule {
  const { soft } = term;
  if (term.kind === "node") {
    const { key, operator, value } = term.constraint;
    const holds = (node: Node): boolean => meetsConstraints([term.constraint], node);
    return { soft, words: `affinity to ${key}${operator}${value}`, holds };
  }
  const words = `affinity to service ${term.name}`;
  const other = about.meant(term.name);
  if (other === undefined)
    return { soft, words: `${words} (there is no such service)`, holds: () => false };
  const areas = areasOf(other, by, about);
  // The first task of a group that stays together may be anywhere.
  if (other.ID === about.service.ID && areas.size === 0) return { soft, words, holds: () => true };
  return { soft, words, holds: (node) => areas.has(areaOf(node, by)) };
}

function farRule(term: PlacementTerm, by: string | undefined, about: About): Rule {
  const { soft } = term;
  if (term.kind === "node") {
    const { key, operator, value } = term.constraint;
    const holds = (node: Node): boolean => !meetsConstraints([term.constraint], node);
    return { soft, words: `anti-affinity to ${key}${operator}${value}`, holds };
  }
  const words = `anti-affinity to service ${term.name}`;
  const other = about.meant(term.name);
  if (other === undefined) return { soft, words, holds: () => true };
  const areas = areasOf(other, by, about);
  return { soft, words, holds: (node) => !areas.has(areaOf(node, by)) };
}

/** The hard rules by which another service keeps away from this one. */
function avoidedBy(other: Service, about: About): Rule[] {
  if (other.ID === about.service.ID) return [];
  const { Labels } = other.Spec;
  const names = (readLabel(antiAffinityLabel, Labels) ?? []).filter((term) => {
    if (term.soft || term.kind !== "service") return false;
    return serviceMeant(about.view, other.Spec, term.name)?.ID === about.service.ID;
  });
  if (names.length === 0) return [];
  const by = readLabel(antiAffinityByLabel, Labels);
  const areas = areasOf(other, by, about);
  const words = `anti-affinity of service ${other.Spec.Name}`;
  return [{ soft: false, words, holds: (node) => !areas.has(areaOf(node, by)) }];
}

/** The areas that have tasks of the service. */
function areasOf(
  service: Service,
  by: string | undefined,
  { view, neighbours }: About,
): ReadonlySet<string> {
  const areas = new Set<string>();
  for (const id of neighbours.nodesOf(service.ID).keys()) {
    const node = view.node(id);
    if (node !== undefined) areas.add(areaOf(node, by));
  }
  return areas;
}

/** A node without the label is an area of its own. */
function areaOf(node: Node, by: string | undefined): string {
  const own = `node ${node.ID}`;
  if (by === undefined) return own;
  const [of = "", , ...rest] = by.split(".");
  const labels = of === "node" ? node.Spec.Labels : node.Description.Engine.Labels;
  const key = rest.join(".");
  return Object.hasOwn(labels, key) ? `label ${labels[key]}` : own;
}
