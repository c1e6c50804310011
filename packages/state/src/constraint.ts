/** One placement constraint: `node.labels.zone == a`. Values compare as whole texts without case. */
export interface Constraint {
  readonly key: string;
  readonly operator: "==" | "!=";
  readonly value: string;
}

const keyForm = /^[a-z_][a-z0-9\-_.]+$/i;
const valueForm = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

/**
 * Reads one constraint, or says in Swarm's words why it is none.
 *
 * Source: placement constraints of the Docker Engine API, as answered by Engine 20.10.
 */
export function parseConstraint(text: string): Constraint | { readonly error: string } {
  // The first operator counts: a value may hold the other one.
  const at = /==|!=/.exec(text);
  if (at === null) return { error: "constraint expected one operator from ==, !=" };
  const key = text.slice(0, at.index).trim();
  const value = text.slice(at.index + 2).trim();
  if (!keyForm.test(key)) return { error: `key '${key}' is invalid` };
  if (!valueForm.test(value)) return { error: `value '${value}' is invalid` };
  return { key, operator: at[0] === "==" ? "==" : "!=", value };
}
