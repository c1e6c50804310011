/**
 * Unused images: which images of a host no service needs.
 *
 * An image is needed while the spec of a service names it, or an earlier spec to which the service can return.
 * Images that a container uses are kept by the engine itself.
 */
import type { View } from "../log/view.ts";
import { imageNames } from "./image-names.ts";
import type { HeldImage } from "./image-pin.ts";

/** `all`: also images with a tag, which somebody may have made to use later. */
export function unusedImages<Image extends HeldImage>(
  images: readonly Image[],
  view: View,
  { all }: { readonly all: boolean },
): Image[] {
  const needed = new Set<string>();
  for (const { Spec, PreviousSpec, Gam } of view.services()) {
    const earlier = (Gam.revisions ?? []).map(({ spec }) => spec);
    for (const spec of [Spec, PreviousSpec, ...earlier]) {
      const image = spec?.TaskTemplate.ContainerSpec.Image;
      if (image !== undefined) for (const name of imageNames(image)) needed.add(name);
    }
  }
  const isTagged = ({ names }: Image): boolean => names.some((name) => !name.includes("@"));
  return images.filter(
    (image) =>
      (all || !isTagged(image)) && ![image.id, ...image.names].some((name) => needed.has(name)),
  );
}
