/** Host line: finds the device that connects this host to the others. */
import { networkInterfaces } from "node:os";
import { rethrowInvariant } from "@gam/core";
import { type DeviceName, deviceName } from "@gam/network";

/** To list the devices of a host with a hundred containers takes milliseconds, and each plan asks. */
const keptMs = 1_000;

export class HostLine {
  readonly #list: typeof networkInterfaces;
  #known: { readonly address: string; readonly device: DeviceName | undefined } | undefined;
  #knownMs = 0;

  constructor(list = networkInterfaces) {
    this.#list = list;
  }

  /**
   * The device with the address, as of the last second; `undefined` when no device has it, or the kernel does not
   * list its devices.
   */
  of(address: string, nowMs: number): DeviceName | undefined {
    const known = this.#known;
    const isKnown = known?.address === address && known.device !== undefined;
    if (isKnown && nowMs - this.#knownMs < keptMs) return known.device;
    const device = this.#find(address);
    this.#known = { address, device };
    this.#knownMs = nowMs;
    return device;
  }

  #find(address: string): DeviceName | undefined {
    try {
      const found = Object.entries(this.#list()).find(([, held = []]) =>
        held.some((one) => one.address === address),
      );
      return deviceName(found?.[0] ?? "");
    } catch (thrown) {
      rethrowInvariant(thrown);
      return undefined;
    }
  }
}
