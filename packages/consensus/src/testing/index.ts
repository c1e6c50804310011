export { StableCopy, type Write } from "./stable-copy.ts";
