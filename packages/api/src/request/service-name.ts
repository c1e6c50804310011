/** Words that are easy to say over a table. Both lists have 32 entries, one for each low digit of an id. */
const manners = (
  "able brave bright brisk calm clear deft eager fair fine fleet frank glad grand hale hardy " +
  "keen kind lively loyal merry mild neat noble plain proud quick quiet sound steady true warm"
).split(" ");
const ships = (
  "albatross anchor barque beacon bowline brig capstan clipper compass cutter dolphin frigate gannet halyard harbour heron " +
  "kestrel ketch lantern lugger mast packet petrel pilot rudder schooner sextant sloop spar tern whaler yawl"
).split(" ");

/**
 * Returns: a name for a service that was created without one.
 *
 * `id`: a new id. Its digits choose the words, so two services hardly ever get the same name.
 */
export function madeUpName(id: string): string {
  const digit = (at: number): number => Number.parseInt(id.at(at) ?? "0", 36) || 0;
  return `${manners[digit(-1) % manners.length]}_${ships[digit(-2) % ships.length]}_${id.slice(-5)}`;
}
