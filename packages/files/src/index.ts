export { readIfThere } from "./read-if-there.ts";
export { moveFile, removeFile, replaceFile, reserveFile, syncDirectory } from "./replace-file.ts";
