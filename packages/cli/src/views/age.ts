const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** Returns: `3 minutes ago`. Clocks of hosts differ a little, so a time in the future counts as now. */
export function age(elapsedMs: number): string {
  for (const [name, unitMs] of units) {
    const count = Math.floor(elapsedMs / unitMs);
    if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}
