/**
 * Plain form: whether bytes are one value as encode() writes it, checked before the decoder reads them.
 *
 * The decoder knows more than the encoder uses: extensions for dates, patterns, large numbers, cycles, code that
 * reads records. Some of them take time or memory out of proportion to the input. So only null, booleans,
 * numbers, strings, bytes, lists and maps pass. None may claim more entries than its bytes allow, nor be nested
 * deeper than any value of ours.
 *
 * Source: MessagePack specification, "Formats".
 */

/** Our deepest value, a service spec within a proposal within a list, is a quarter as deep. */
const depthMax = 64;

/** What follows a first byte: so many bytes, or a length or count of so many bytes; `never` is never sent. */
const never = 255;
const lengthIn1 = 254;
const lengthIn2 = 253;
const lengthIn4 = 252;
const listIn2 = 251;
const listIn4 = 250;
const mapIn2 = 249;
const mapIn4 = 248;
const shortList = 247;
const shortMap = 246;
const absentValue = 245;
/** Values up to this one are lengths in bytes. */
const lengthMax = 31;

/** The forms by first byte. */
const forms = makeForms();

function makeForms(): Uint8Array {
  const table = new Uint8Array(256).fill(never);
  table.fill(0, 0x00, 0x80); // Small numbers.
  table.fill(shortMap, 0x80, 0x90);
  table.fill(shortList, 0x90, 0xa0);
  for (let length = 0; length <= lengthMax; length += 1) table[0xa0 + length] = length;
  table[0xc0] = 0; // Nothing.
  table.fill(0, 0xc2, 0xc4); // Booleans.
  table.set([lengthIn1, lengthIn2, lengthIn4], 0xc4); // Bytes.
  table.set([4, 8], 0xca); // Fractions.
  table.set([1, 2, 4], 0xcc); // Numbers from 0 on. Those of 8 bytes are sent as fractions.
  table.set([1, 2, 4], 0xd0); // Numbers below 0, the same.
  table[0xd4] = absentValue;
  table.set([lengthIn1, lengthIn2, lengthIn4], 0xd9); // Strings.
  table.set([listIn2, listIn4, mapIn2, mapIn4], 0xdc);
  table.fill(0, 0xe0); // Small numbers below 0.
  return table;
}

/** Values still to come in each open list or map. Reused, since frames are many and mostly small. */
const open = new Float64Array(depthMax + 1);

/** Returns: why `decode()` must not read the bytes; `undefined` when it may. */
export function formProblem(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  open[0] = 1;
  let depth = 0;
  let at = 0;
  try {
    for (;;) {
      const left = open[depth] as number;
      if (left === 0) {
        if (depth === 0) break;
        depth -= 1;
        continue;
      }
      open[depth] = left - 1;
      const first = view.getUint8(at);
      at += 1;
      const form = forms[first] as number;
      if (form <= lengthMax) {
        at += form;
        continue;
      }
      const sized = sizeOf(form, view, at);
      if (sized !== undefined) {
        at += sized;
        continue;
      }
      const values =
        form === shortList
          ? first & 15
          : form === shortMap
            ? 2 * (first & 15)
            : valuesOf(form, view, at);
      if (values === undefined)
        return `it has a kind of value that is never sent, at byte ${at - 1}`;
      at += countBytes(form);
      // Each value has at least one byte, so a larger count is a lie.
      if (values > bytes.length - at) return "it ends early";
      if (depth === depthMax) return `it is nested deeper than ${depthMax}`;
      depth += 1;
      open[depth] = values;
    }
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    return "it ends early";
  }
  if (at > bytes.length) return "it ends early";
  return at === bytes.length ? undefined : "it has bytes after its end";
}

/** Returns: for strings and bytes, how many bytes follow. Errors: RangeError at the end of the view. */
function sizeOf(form: number, view: DataView, at: number): number | undefined {
  switch (form) {
    case lengthIn1:
      return 1 + view.getUint8(at);
    case lengthIn2:
      return 2 + view.getUint16(at);
    case lengthIn4:
      return 4 + view.getUint32(at);
    case absentValue:
      // Only `undefined` in a list: extension 0, with a byte without meaning.
      return view.getUint16(at) === 0 ? 2 : undefined;
    default:
      return undefined;
  }
}

/** Returns: the count of a list or map, if it is not in the first byte. Errors: RangeError at the view's end. */
function valuesOf(form: number, view: DataView, at: number): number | undefined {
  switch (form) {
    case listIn2:
      return view.getUint16(at);
    case listIn4:
      return view.getUint32(at);
    case mapIn2:
      return 2 * view.getUint16(at);
    case mapIn4:
      return 2 * view.getUint32(at);
    default:
      return undefined;
  }
}

function countBytes(form: number): number {
  if (form === listIn2 || form === mapIn2) return 2;
  return form === listIn4 || form === mapIn4 ? 4 : 0;
}
