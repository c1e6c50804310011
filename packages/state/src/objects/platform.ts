import type { Node, Platform } from "./node.ts";

/** Names of engines for processors that images name differently. */
const architectureOf: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

function sameArchitecture(a: string, b: string): boolean {
  return (architectureOf[a] ?? a) === (architectureOf[b] ?? b);
}

/** Whether the node has one of the platforms that the image was built for; an empty list means any. */
export function matchesPlatform(
  platforms: readonly Partial<Platform>[] | undefined,
  node: Node,
): boolean {
  if (platforms === undefined || platforms.length === 0) return true;
  const has = node.Description.Platform;
  return platforms.some(
    ({ OS, Architecture }) =>
      (!OS || OS === has.OS) && (!Architecture || sameArchitecture(Architecture, has.Architecture)),
  );
}
