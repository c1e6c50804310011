/** Returns: an id in the form of a real one; the same name gives the same id. */
export function testId<Id extends string = string>(name: string): Id {
  const plain = name.toLowerCase().replaceAll(/[^0-9a-z]/g, "");
  return plain.padEnd(25, "0").slice(0, 25) as Id;
}

/** Returns: a key of 32 bytes, base64; the same name gives the same key. */
export function testKey(name: string): string {
  return Buffer.alloc(32, name === "" ? 0 : name).toString("base64");
}
