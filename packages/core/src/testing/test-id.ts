/** An id of the form of a real one from a short name: the same for the same name. */
export function testId<Id extends string = string>(name: string): Id {
  const plain = name.toLowerCase().replaceAll(/[^0-9a-z]/g, "");
  return plain.padEnd(25, "0").slice(0, 25) as Id;
}

/** A key of 32 bytes, base64, from a short name: the same for the same name. */
export function testKey(name: string): string {
  return Buffer.alloc(32, name === "" ? 0 : name).toString("base64");
}
