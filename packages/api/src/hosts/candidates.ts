/**
 * Candidates: which container a client means, of those that several hosts have found for its reference.
 *
 * Decides as one engine does: the whole id, else the exact name, else the beginning of the id. Pure.
 */

export interface FoundContainer<Host> {
  readonly host: Host;
  readonly hostname: string;
  readonly id: string;
  /** Without the engine's leading slash. */
  readonly name: string;
}

export type Choice<Host> =
  | { readonly kind: "one"; readonly candidate: FoundContainer<Host>; readonly byName: boolean }
  | { readonly kind: "several"; readonly message: string }
  | { readonly kind: "none" };

const shownMax = 8;
const shortIdLength = 12;

/** The order of hosts and the state does not matter: a container that is found twice counts once. */
export function chooseContainer<Host>(
  ref: string,
  found: readonly FoundContainer<Host>[],
): Choice<Host> {
  const all = [...new Map(found.map((one) => [one.id, one])).values()];
  const whole = all.find(({ id }) => id === ref);
  if (whole !== undefined) return { kind: "one", candidate: whole, byName: false };
  const named = all.filter(({ name }) => name === ref);
  const matches = named.length > 0 ? named : all.filter(({ id }) => id.startsWith(ref));
  const [candidate] = matches;
  if (candidate === undefined) return { kind: "none" };
  const byName = named.length > 0;
  if (matches.length === 1) return { kind: "one", candidate, byName };
  return { kind: "several", message: ambiguous(ref, matches, byName) };
}

/** With the engine's words for a beginning of several ids, which tools match on. */
function ambiguous<Host>(
  ref: string,
  matches: readonly FoundContainer<Host>[],
  byName: boolean,
): string {
  const shown = matches
    .map(({ hostname, name, id }) => `${hostname}/${name} ${id.slice(0, shortIdLength)}`)
    .sort();
  const more = shown.length > shownMax ? [`${shown.length - shownMax} more`] : [];
  const list = [...shown.slice(0, shownMax), ...more].join(", ");
  return byName
    ? `multiple containers are named ${ref}: ${list}. Use HOST/NAME or an id`
    : `multiple IDs found with provided prefix: ${ref} (${list})`;
}

/** Returns: the text that follows an error when some hosts could not be asked; "" if all were. */
export function silentText(hostnames: readonly string[]): string {
  if (hostnames.length === 0) return "";
  const shown = hostnames.toSorted();
  const more = shown.length > shownMax ? [`${shown.length - shownMax} other hosts`] : [];
  const names = [...shown.slice(0, shownMax), ...more];
  const last = names.at(-1) ?? "";
  const list = names.length === 1 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
  return ` (${list} ${names.length === 1 ? "does" : "do"} not answer)`;
}
