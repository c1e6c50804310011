/** A position in a stack file. Lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** An error or a warning for the author of a stack file. */
export interface Problem {
  readonly at: SourcePosition;
  /** What was found and what to do about it: no final period. */
  readonly message: string;
  /** Problems of one topic are told in one line: the topic, then the items. */
  readonly topic?: { readonly title: string; readonly item: string };
}

/** Returns: `stack.yml:12:5: message`, the form that editors turn into a link. */
export function showProblem({ at, message }: Problem): string {
  return `${at.file}:${at.line}:${at.column}: ${message}`;
}

const placesMax = 5;

/**
 * Returns: the problems, each once and in the given order. Those of one topic, and those that say the same in
 * several places, become one at the first place, which names the other lines.
 */
export function groupProblems(problems: readonly Problem[]): Problem[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const key = `${problem.at.file} ${problem.topic?.title ?? problem.message}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [problem]);
    else group.push(problem);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ at: first.at, message: together(first, group) }];
  });
}

function together(first: Problem, group: readonly Problem[]): string {
  const items = [...new Set(group.flatMap(({ topic }) => topic?.item ?? []))];
  const said =
    first.topic && items.length > 1 ? `${first.topic.title}: ${items.join(", ")}` : first.message;
  const lines = [...new Set(group.map(({ at }) => at.line))].filter(
    (line) => line !== first.at.line,
  );
  if (lines.length === 0) return said;
  const shown = lines.slice(0, placesMax).join(", ");
  const more = lines.length > placesMax ? `, and ${lines.length - placesMax} more` : "";
  return `${said} (also in line${lines.length === 1 ? "" : "s"} ${shown}${more})`;
}
