/** Disk failed: an error of the file system in words for the operator, who must make room, allow it or replace the disk. */
import { GamError, hasCode, reasonOf } from "@gam/core";

const remedies: Readonly<Record<string, string>> = {
  EACCES: "Run the agent as root",
  EDQUOT: "Make room",
  EIO: 'Look at "dmesg", and replace the disk',
  ENOSPC: "Make room",
  EPERM: "Run the agent as root",
  EROFS: "Mount it so that it can be written, or set --data-dir",
};

/** Returns: a DISK_FAILED that names the folder or file, what is wrong, and what to do. */
export function diskFailed(path: string, thrown: unknown): GamError {
  if (thrown instanceof GamError) return thrown;
  const code = Object.keys(remedies).find((one) => hasCode(thrown, one));
  const found = reasonOf(thrown).replace(`${path}: `, "");
  const remedy = code === undefined ? "" : `. ${remedies[code]}`;
  const message = `Cannot write to "${path}": ${found}${remedy}`;
  return new GamError("DISK_FAILED", message, { cause: thrown });
}
