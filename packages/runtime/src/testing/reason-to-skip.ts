/** Reason to skip: says why a test on the real kernel cannot run on this machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** `false` when it can run: on Linux, as root, with the programs installed. */
export function reasonToSkip(programs: readonly string[]): string | false {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root";
  const missing = programs.filter(
    (program) =>
      !["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((at) => existsSync(join(at, program))),
  );
  return missing.length > 0 && `needs ${missing.join(", ")}`;
}
