/** Placement labels: near what, and how close together, the tasks of a service run. */
import { type Constraint, readConstraints } from "../objects/constraint.ts";
import { type LabelRule, list, text, words } from "./label-rule.ts";

/** A service by name, as in gam.depends_on, or a property of nodes. */
export type PlacementTerm = {
  /** Only preferred: nodes that lack it rank last. */
  readonly soft: boolean;
} & (
  | { readonly kind: "service"; readonly name: string }
  | { readonly kind: "node"; readonly constraint: Constraint }
);

const terms = list(
  text(
    'a service such as "db" or an expression such as "node.labels.zone==a", with "~" before it if it is only preferred',
    term,
  ),
);

export const affinityLabel: LabelRule<readonly PlacementTerm[]> = {
  name: "gam.affinity",
  ...terms,
  does: "places tasks only near tasks of these services, and only on such nodes",
  without: "tasks run on any node",
};

export const antiAffinityLabel: LabelRule<readonly PlacementTerm[]> = {
  name: "gam.antiaffinity",
  ...terms,
  does: "places tasks only away from tasks of these services, and not on such nodes",
  without: "tasks run on any node",
};

const area = text("a label of nodes such as node.labels.zone", (found) => {
  return /^(?:node|engine)\.labels\.[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(found)
    ? found
    : undefined;
});

export const affinityByLabel: LabelRule<string> = {
  name: "gam.affinity.by",
  ...area,
  does: "lets gam.affinity mean nodes with the same value of this label",
  without: "it means the same node",
};

export const antiAffinityByLabel: LabelRule<string> = {
  name: "gam.antiaffinity.by",
  ...area,
  does: "lets gam.antiaffinity mean nodes with the same value of this label",
  without: "it means the same node",
};

export const strategyLabel: LabelRule<"spread" | "binpack"> = {
  name: "gam.strategy",
  ...words("spread", "binpack"),
  does: "spreads tasks over nodes, or fills the fullest node that has room first",
  without: "tasks are spread",
};

const serviceForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

function term(found: string): PlacementTerm | undefined {
  const soft = found.startsWith("~");
  const rest = soft ? found.slice(1).trim() : found;
  if (serviceForm.test(rest)) return { kind: "service", name: rest, soft };
  const [constraint] = readConstraints([rest]) ?? [];
  return constraint === undefined ? undefined : { kind: "node", constraint, soft };
}
