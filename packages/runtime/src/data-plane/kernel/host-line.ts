/** Host line: finds the device that connects this host to the others. */
import { networkInterfaces } from "node:os";
import { rethrowInvariant } from "@gam/core";
import { type DeviceName, deviceName } from "@gam/network";

/** The device with the address; `undefined` when no device has it, or the kernel does not list its devices. */
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
