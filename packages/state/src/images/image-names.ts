/**
 * Returns: the names under which an engine may list the image of a spec.
 *
 * Clients pin a tag to a digest (`nginx:1.27@sha256:…`) if a registry answers them. Engines list tag and
 * digest separately.
 */
export function imageNames(image: string): ReadonlySet<string> {
  const [tagged = "", digest] = image.split("@");
  const last = tagged.slice(tagged.lastIndexOf("/") + 1);
  const bare = last.includes(":") ? tagged.slice(0, tagged.lastIndexOf(":")) : tagged;
  const names = [image, last.includes(":") ? tagged : `${tagged}:latest`];
  if (digest !== undefined) names.push(`${bare}@${digest}`, digest);
  return new Set(names);
}

/** Returns: the digest to which a spec's image is pinned: a registry's, or an image's id. */
export function pinnedDigest(image: string): string | undefined {
  const at = image.indexOf("@");
  return at < 0 ? undefined : image.slice(at + 1);
}
