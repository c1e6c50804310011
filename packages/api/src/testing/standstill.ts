/**
 * Waits until `count` has not changed in twenty rounds of the event loop, which include the sockets. Returns:
 * the count.
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
