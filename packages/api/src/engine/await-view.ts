import type { View } from "@gam/state";
import type { ClusterDoor } from "../door/door.ts";

/**
 * Resolves to what `read` finds in the state as soon as it finds something; to `undefined` after `msMax`.
 */
export async function awaitView<T>(
  door: Pick<ClusterDoor, "view" | "subscribe">,
  read: (view: View) => T | undefined,
  msMax: number,
): Promise<T | undefined> {
  const now = read(door.view());
  if (now !== undefined) return now;
  return await new Promise((settle) => {
    const end = (found: T | undefined): void => {
      clearTimeout(timer);
      deafen();
      settle(found);
    };
    const timer = setTimeout(() => end(undefined), msMax);
    const deafen = door.subscribe(() => {
      const found = read(door.view());
      if (found !== undefined) end(found);
    });
  });
}
