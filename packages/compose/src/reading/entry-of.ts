/** Returns: the entry of that name; never something that all objects have, such as `constructor`. */
export function entryOf<T>(
  record: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
