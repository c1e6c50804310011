/** Device: reads `devices` of a service, and GPUs that it reserves. */
import {
  type Context,
  list,
  type Read,
  type RecordOf,
  record,
  shortOrLong,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";

const deviceFields = { source: text, target: text, permissions: text };
export type DeviceEntry = RecordOf<typeof deviceFields>;

/** `/dev/a:/dev/b:rwm`, or the long form. */
export const devices: Read<(string | DeviceEntry)[]> = list(
  shortOrLong(text, record(deviceFields)),
);

const gpuFields = {
  capabilities: list(text),
  driver: text,
  count: text,
  device_ids: list(text),
};
export type GpuEntry = RecordOf<typeof gpuFields>;

/** A list of reserved devices. */
export const reservedDevices: Read<GpuEntry[]> = list(
  record(gpuFields, { refused: { options: "the engine's runtime decides" } }),
);

/** As `reservedDevices`, or `all`. */
export function gpus(value: Value, context: Context): GpuEntry[] | undefined {
  if (value.kind !== "scalar") return reservedDevices(value, context);
  const count = text(value, context);
  return count === undefined ? undefined : [{ at: value.at, count }];
}
