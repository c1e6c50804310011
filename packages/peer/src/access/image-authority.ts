/**
 * Image authority: which node may have the layers of which image.
 *
 * A manager may have every image, because it can make a task with it anywhere. A worker may have those of its own
 * tasks, as in content-authority.ts: another image may be one that it has no credentials for.
 */
import { compareStates, imageNames, isTerminal, type View } from "@gam/state";
import { type Asker, roleOf } from "./authority.ts";

/** Returns: why the asker may not have it; undefined when it may. `names`: the image's id, tags and digests. */
export function refusalOfImage(
  view: View,
  asker: Asker,
  names: readonly string[],
): string | undefined {
  const role = roleOf(view, asker);
  if (role === undefined) return "it is no member";
  if (role === "manager") return undefined;
  const isUsed = view.tasksOn(asker.id).some(({ Spec, Status }) => {
    if (compareStates(Status.State, "assigned") < 0 || isTerminal(Status.State)) return false;
    const wanted = imageNames(Spec.ContainerSpec.Image);
    return names.some((name) => wanted.has(name));
  });
  return isUsed ? undefined : "no task of it uses the image";
}
