/** The host of `host:port`, with or without the brackets of IPv6. */
export function hostOf(address: string): string {
  const at = address.lastIndexOf(":");
  const host = at > 0 && !address.endsWith("]") ? address.slice(0, at) : address;
  return host.startsWith("[") ? host.slice(1, host.endsWith("]") ? -1 : undefined) : host;
}
