// Replaces text/printable.ts in a test that proves that it detects unescaped output.

export const cut = (text: string): string => text;
export const escaped = (character: string): string => character;
export const printable = (value: string): string => value;
export const printableLine = (line: string): string => line;
export const printableText = (text: string): string => text;
export const quoted = (value: string): string => `"${value}"`;
