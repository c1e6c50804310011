/** Steering labels: labels of a service with which its owner chooses how connections find its tasks. */
export const steeringLabels = {
  /** "client": a client's connections all go to one task. */
  affinity: "gam.affinity",
  /** "local": a published port prefers tasks on the asked node. */
  ingress: "gam.ingress",
} as const;

const words: Readonly<Record<string, { readonly word: string; readonly without: string }>> = {
  [steeringLabels.affinity]: { word: "client", without: "connections go to any task" },
  [steeringLabels.ingress]: { word: "local", without: "connections go to all tasks, on all nodes" },
};

/** Returns: which label has a value without a meaning, and what to do; `undefined`: none. */
export function steeringProblem(labels: Readonly<Record<string, string>>): string | undefined {
  for (const [name, { word, without }] of Object.entries(words)) {
    const found = labels[name];
    if (found === undefined || found === "" || found === word) continue;
    return `label "${name}" has the value "${found}": use "${word}", or leave the label out (then ${without})`;
  }
  return undefined;
}
