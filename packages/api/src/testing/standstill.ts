/**
 * Waits until `count` no longer grows, and returns it: twenty rounds of the event loop and of the
 * sockets in a row have moved nothing.
 */
export async function standstill(count: () => number): Promise<number> {
  let seen = -1;
  for (let still = 0; still < 20; ) {
    await new Promise((settle) => setImmediate(settle));
    still = count() === seen ? still + 1 : 0;
    seen = count();
  }
  return seen;
}
