/** How figures are printed: one line each, with all there is to know of a sample this small. */
export function print(name: string, values: readonly number[], unit: string): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => {
    const value = sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
    return value.toFixed(value < 10 ? 2 : 0);
  };
  const range = `min ${at(0)}, max ${at(1)}, n ${values.length}`;
  process.stdout.write(`${name}: median ${at(0.5)} ${unit} (${range})\n`);
}
