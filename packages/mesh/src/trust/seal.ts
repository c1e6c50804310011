export { seal, unseal } from "@gam/files";
