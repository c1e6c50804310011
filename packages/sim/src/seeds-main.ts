/** A child process that runs seeds: they arrive as a message, and the report goes back as one. */
import { runSeeds, type Seeds } from "./seeds.ts";

process.once("message", (seeds) => {
  process.send?.(runSeeds(seeds as Seeds), () => process.disconnect());
});
