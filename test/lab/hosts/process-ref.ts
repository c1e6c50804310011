/**
 * ProcessRef: a process that is still the one we started, or gone.
 *
 * A PID alone is not enough: after a crash another process may have it. The start time, in clock
 * ticks since boot, tells them apart.
 */
import { readFileSync } from "node:fs";

export interface ProcessRef {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, see proc(5). */
  readonly startTicks: string;
}

/** Undefined when no process has this PID, or when it is a zombie. */
export function processRef(pid: number): ProcessRef | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, in brackets, may have spaces and brackets. The fields after the last bracket do not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  if (startTicks === undefined || state === "Z" || state === "X") return undefined;
  return { pid, startTicks };
}

export function isRunning(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.startTicks === ref.startTicks;
}

/** Does nothing when the process is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): void {
  if (!isRunning(ref)) return;
  try {
    process.kill(ref.pid, signal);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}

/** The process's PID in its own namespace: the last of the NSpid line. */
export function innerPid(pid: number): number | undefined {
  const line = readProc(`/proc/${pid}/status`)?.match(/^NSpid:\s*(.*)$/m)?.[1];
  const last = line?.trim().split(/\s+/).at(-1);
  return last === undefined ? undefined : Number(last);
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw cause;
  }
}
