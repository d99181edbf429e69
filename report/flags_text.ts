/**
 * An entry's flags by name.
 *
 * @param flags The flags.
 * @returns `-` for none, `DIRTY`, `RESET`, `DIRTY|RESET`, and unknown bits in hexadecimal.
 */
export function flagsText(flags: number): string {
  const names = [];
  if (flags & 1) names.push("DIRTY");
  if (flags & 2) names.push("RESET");
  const rest = (flags & ~3) >>> 0;
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? "-" : names.join("|");
}
