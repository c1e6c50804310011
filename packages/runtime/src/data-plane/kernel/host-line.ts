/** Host line: by which device this host is joined to the others. */
import { networkInterfaces } from "node:os";
import { rethrowInvariant } from "@gam/core";
import { type DeviceName, deviceName } from "@gam/network";

/** The device that has the address; `undefined` where none has it, or the kernel does not tell. */
export function lineOf(address: string): DeviceName | undefined {
  try {
    const found = Object.entries(networkInterfaces()).find(([, held = []]) =>
      held.some((one) => one.address === address),
    );
    return deviceName(found?.[0] ?? "");
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}
