/** Keep logs: keeps the logs of a lab's hosts when the lab is removed. */
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

/**
 * Moves `logs` of each host in the lab's folder to `into`/lab-NUMBER/HOST, or to lab-NUMBER-2 and so on when
 * an earlier lab of this number left some. Both folders have to be on one file system.
 *
 * Does nothing without `into`, or when that folder is gone, since then the run that wanted the logs is over.
 */
export function keepLogs(lab: { folder: string; number: number }, into: string | undefined): void {
  if (into === undefined || !existsSync(into) || !existsSync(lab.folder)) return;
  const hosts = readdirSync(lab.folder).filter((name) =>
    existsSync(join(lab.folder, name, "logs")),
  );
  if (hosts.length === 0) return;
  const kept = makeNewFolder(join(into, `lab-${lab.number}`));
  for (const host of hosts) renameSync(join(lab.folder, host, "logs"), join(kept, host));
}

function makeNewFolder(name: string): string {
  for (let count = 1; ; count += 1) {
    const folder = count === 1 ? name : `${name}-${count}`;
    try {
      mkdirSync(folder);
      return folder;
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    }
  }
}
