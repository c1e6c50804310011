/**
 * Sealing keys: which key seals what is written now, and which keys a new root key must take over.
 *
 * Everything secret in the state is sealed with the newest key. A rotation of the root key adds a key that only
 * holders of the next root key can open: a manager of former times, which knows the old root key, cannot open what
 * is sealed from then on. Older keys stay until everything is sealed anew.
 */
import type { View } from "../log/view.ts";
import type { Cluster, SealingKey } from "../objects/cluster.ts";
import type { Sealed } from "../objects/content.ts";

/** Returns: the id of the key that seals what is written now. */
export function newestKey(view: Pick<View, "cluster">): string | undefined {
  return view.cluster?.SealingKeys.at(-1)?.ID;
}

export function isNewestKey(view: Pick<View, "cluster">, key: string): boolean {
  return newestKey(view) === key;
}

/** Returns: everything in the state that is sealed with a sealing key. */
export function sealedIn(view: View): readonly Sealed[] {
  const credentials = view.services().flatMap(({ Gam }) => {
    return [Gam.registryAuth, Gam.registryAuthPrevious].filter((one) => one !== undefined);
  });
  return [...view.secrets().flatMap(({ Gam }) => Gam.contents), ...credentials];
}

/** Returns: the ids of the keys that something in the state is sealed with. */
export function keysInUse(view: View): ReadonlySet<string> {
  return new Set(sealedIn(view).map(({ key }) => key));
}

/** Returns: the ids of the keys that must stay while the newest one does: it seals what is written next. */
export function usedKeys(view: View): ReadonlySet<string> {
  const newest = newestKey(view);
  return newest === undefined ? keysInUse(view) : new Set([...keysInUse(view), newest]);
}

/**
 * Whether these keys can follow the present ones when `next` is to replace the root key. Every key in use stays. A key
 * that the holders of the root key can open stays so, and the holders of the next one can open all. The last key is
 * new, and only they can open it. The newest key before need not stay: what is sealed with it from now on is refused.
 */
export function canFollow(
  view: View,
  keys: readonly SealingKey[],
  { root, next }: { readonly root: string; readonly next: string },
): boolean {
  const after = new Map(keys.map((key) => [key.ID, key]));
  const newest = keys.at(-1);
  const used = keysInUse(view);
  const isKept = (view.cluster?.SealingKeys ?? []).every(({ ID, Sealed }) => {
    const kept = after.get(ID);
    if (kept === undefined) return !used.has(ID);
    return ID !== newest?.ID && (root in kept.Sealed || !(root in Sealed));
  });
  const isNew = newest !== undefined && Object.keys(newest.Sealed).join() === next;
  return isKept && isNew && keys.every(({ Sealed }) => next in Sealed);
}

/** Returns: the keys once that root key is the only one. */
export function keysUnder(publicKey: string, keys: readonly SealingKey[]): Cluster["SealingKeys"] {
  return keys.map(({ ID, Sealed }) => {
    const text = Sealed[publicKey];
    return { ID, Sealed: text === undefined ? {} : { [publicKey]: text } };
  });
}
