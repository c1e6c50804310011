export { moveFile, removeFile, replaceFile, reserveFile, syncDirectory } from "./replace-file.ts";
