/**
 * Returns: the hardware address of the holder of an IPv4 address in a network of the cluster. It follows from
 *         the address, because that is all other nodes know.
 */
export function macOf(address: string): string {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return ["02", "42", ...bytes].join(":");
}
