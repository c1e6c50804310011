/**
 * Traces: where a planted mark can be read: on a disk, in a process' memory, in a file of frames.
 *
 * Looks for the text itself, as V8 keeps it in memory with one or two bytes a character, in hex and in base64.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

const pieceBytes = 1 << 20;

/** All forms of a text, as bytes. */
function formsOf(mark: string): Buffer[] {
  const plain = Buffer.from(mark);
  // Base64 depends on where the text begins. Its first and last letters also depend on what is around it.
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), plain])
      .toString("base64")
      .slice(4, -4),
  );
  return [
    plain,
    Buffer.from(mark, "utf16le"),
    Buffer.from(plain.toString("hex")),
    ...shifted.map((text) => Buffer.from(text)),
  ];
}

/** Returns: `place: mark` for each mark that a file below the folder holds. Sockets and the like are left out. */
export function marksOnDisk(folder: string, marks: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile() ? marksInFile(path, marks) : [];
  });
}

/** Returns: as marksOnDisk(), for one file. */
export function marksInFile(path: string, marks: readonly string[]): string[] {
  const file = openSync(path, "r");
  try {
    const ranges = [{ from: 0, to: statSync(path).size }];
    return found(file, ranges, marks).map((mark) => `${path}: ${mark}`);
  } finally {
    closeSync(file);
  }
}

/** Returns: the marks in the memory of a process: its heap, its stacks and what it has mapped. */
export function marksInMemory(pid: number, marks: readonly string[]): string[] {
  const ranges = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, from = "", to = ""] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
      const isKernels = from === "" || /\[v(var|syscall|dso)/.test(line);
      return isKernels ? [] : { from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) };
    });
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    return found(memory, ranges, marks).map((mark) => `memory of process ${pid}: ${mark}`);
  } finally {
    closeSync(memory);
  }
}

function found(
  file: number,
  ranges: readonly { readonly from: number; readonly to: number }[],
  marks: readonly string[],
): string[] {
  const forms = marks.map((mark) => ({ mark, all: formsOf(mark) }));
  const overlap = Math.max(0, ...forms.flatMap(({ all }) => all.map(({ length }) => length)));
  const piece = Buffer.alloc(pieceBytes + overlap);
  const hits = new Set<string>();
  for (const { from, to } of ranges) {
    for (let at = from; at < to; at += pieceBytes) {
      const part = piece.subarray(0, read(file, piece, at, Math.min(piece.length, to - at)));
      for (const { mark, all } of forms)
        if (all.some((form) => part.includes(form))) hits.add(mark);
    }
  }
  return [...hits];
}

function read(file: number, into: Buffer, at: number, bytes: number): number {
  try {
    return readSync(file, into, 0, bytes, at);
  } catch (thrown) {
    // The process has given that memory back since, or the kernel does not show it.
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EIO") return 0;
    throw thrown;
  }
}
