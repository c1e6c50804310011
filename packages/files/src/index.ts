export { type FileCipher, HostCipher } from "./host-cipher.ts";
export { withMemoryFile } from "./memory-file.ts";
export { type Holder, holderOfFile, holderOfPort, holderText } from "./process-holder.ts";
export { readIfThere } from "./read-if-there.ts";
export { receiveFile } from "./receive-file.ts";
export { moveFile, removeFile, replaceFile, reserveFile, syncDirectory } from "./replace-file.ts";
export { seal, unseal } from "./seal.ts";
export {
  type FileSeal,
  isSealed,
  otherKeyRemedy,
  readSealed,
  replaceSealed,
} from "./sealed-file.ts";
