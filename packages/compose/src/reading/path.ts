/** Path: absolute paths of the machine that reads the files. */

/** Returns: the path, from `folder` if it is relative, without `.` and `..`. */
export function absolutePath(path: string, folder: string): string {
  if (path.startsWith("/")) return path;
  const parts: string[] = [];
  for (const part of `${folder}/${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Returns: the folder of an absolute path. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** `C:/data`, `C:\data` and `\\server\share` are paths of Windows. */
export function isWindowsPath(path: string): boolean {
  return /^(?:[A-Za-z]:[\\/]|\\\\)/.test(path);
}
