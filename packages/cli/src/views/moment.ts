/** Returns: the moment in UTC, to the second. */
export function moment(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}
