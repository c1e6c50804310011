/**
 * Image pin: to which image a tag is pinned when no client could ask a registry for its digest.
 *
 * Clients send `shop:1@sha256:…` when a registry knows the tag. Otherwise they send `shop:1`, and in Swarm each node
 * then runs what it has by that name. Here the tag is pinned in the same form: to the registry's digest, if a host
 * pulled it from there, else to the image's id. A pin outlives a dead registry: the same tag keeps it unless a host
 * has the tag on another image. So a deploy without a change touches no task, and a rebuilt image rolls.
 */
import { imageNames, pinnedDigest } from "./image-names.ts";

/** An image that a host's engine has. */
export interface HeldImage {
  readonly id: string;
  /** Tags, and `NAME@DIGEST`. */
  readonly names: readonly string[];
}

export interface PinFacts {
  /** The image that the asked host's engine has by this tag. */
  readonly own: HeldImage | undefined;
  /** Images of other hosts. */
  readonly others: readonly HeldImage[];
  /** The image in the service's current spec. */
  readonly current: string | undefined;
}

/** Returns: the image with its pin, or unchanged when there is none or hosts disagree. */
export function pinnedImage(image: string, { own, others, current }: PinFacts): string {
  if (pinnedDigest(image) !== undefined) return image;
  const before =
    current !== undefined && tagOf(current) === tagOf(image) ? pinnedDigest(current) : undefined;
  const tagged =
    own === undefined ? others.filter(({ names }) => names.includes(tagOf(image))) : [own];
  const digests = tagged.map((held) => digestsOf(held, image));
  if (current !== undefined && before !== undefined) {
    if (digests.length === 0 || digests.some((some) => some.includes(before))) return current;
  }
  const [first, ...rest] = digests.map(([best]) => best);
  const agree = first !== undefined && rest.every((digest) => digest === first);
  return agree ? `${image}@${first}` : image;
}

/** Returns: the images in what a host says of itself: each id is followed by its names. */
export function heldImages(images: readonly string[]): HeldImage[] {
  const held: { id: string; names: string[] }[] = [];
  for (const name of images) {
    if (/^sha256:[0-9a-f]{64}$/.test(name)) held.push({ id: name, names: [] });
    else held.at(-1)?.names.push(name);
  }
  return held;
}

/** Returns: the ids that go by this name, each once. */
export function heldIds(image: string, held: readonly HeldImage[]): string[] {
  const known = imageNames(image);
  const named = held.filter(({ names }) => names.some((name) => known.has(name)));
  return [...new Set(named.map(({ id }) => id))];
}

/** Returns: digests that stand for the image, the best one first. */
function digestsOf({ id, names }: HeldImage, image: string): string[] {
  const repository = repositoryOf(image);
  const known = names
    .filter((name) => repositoryOf(name) === repository)
    .flatMap((name) => pinnedDigest(name) ?? [])
    .filter((digest) => digest !== id);
  return [...known.sort(), id];
}

/** Returns: `shop:1` of `shop:1@sha256:…`; a name without a tag gets "latest". */
function tagOf(image: string): string {
  const [name = ""] = image.split("@");
  return [...imageNames(name)].at(-1) ?? name;
}

function repositoryOf(image: string): string {
  const [name = ""] = image.split("@");
  const at = name.indexOf(":", name.lastIndexOf("/") + 1);
  return at < 0 ? name : name.slice(0, at);
}
