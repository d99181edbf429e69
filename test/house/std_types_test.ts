// types/std.d.ts declares what the @std modules export. A declared name that does not exist would
// only fail when it is called.
import * as assert from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import * as colors from "@std/fmt/colors";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

Deno.test("types/std.d.ts declares nothing that the modules do not export", async () => {
  const modules: Record<string, unknown> = {
    "@std/assert": assert,
    "@std/cli/parse-args": { parseArgs },
    "@std/fmt/colors": colors,
    "@std/text/levenshtein-distance": { levenshteinDistance },
  };
  const text = await Deno.readTextFile(new URL("../../types/std.d.ts", import.meta.url));
  const declared = text.split(/^declare module "/m).slice(1);
  assert.assertEquals(declared.length, Object.keys(modules).length);
  for (const part of declared) {
    const name = part.slice(0, part.indexOf('"'));
    const exports = modules[name] as Record<string, unknown>;
    const names = [...part.matchAll(/export function (\w+)/g)].map((match) => match[1]!);
    assert.assert(names.length > 0, name);
    for (const one of names) assert.assertEquals(typeof exports[one], "function", `${name} ${one}`);
  }
});
