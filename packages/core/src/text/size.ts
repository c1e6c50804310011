/** Size: an amount of bytes as people write it. */

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Returns: "64 MiB", "1.5 GiB", "0 B": the largest unit that fits, with at most one decimal. */
export function sizeText(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (Math.abs(amount) >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Math.round(amount * 10) / 10} ${units[unit]}`;
}
