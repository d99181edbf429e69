// Results for `compare`: those that commands print, with changed fields, lines and bytes.
import type { Random } from "../../guest/pattern.ts";
import { RESULT } from "../support/bench_results.ts";
import { checkOf, checkReport, statsResult } from "../support/compared_results.ts";
import { damage } from "./bytes.ts";
import { once, pick } from "./chance.ts";
import type { Format } from "./hostile_case.ts";
import { changed, hostileJson, type Json } from "./json.ts";
import { fileName } from "./site.ts";
import { hostileText } from "./texts.ts";

const encoder = new TextEncoder();

/** Made-up results with samples, and what the golden lines print. */
const BASES: readonly Json[] = await (async () => {
  const samples = Array.from({ length: 7 }, (_, n) => 10 + n);
  const report = checkReport([checkOf("a.a", "pass"), checkOf("b.b", "known", { detail: "x" })]);
  const run = { label: "6.1", report, problem: null };
  const made = [
    statsResult({ samples }),
    report,
    RESULT,
    { schema: "dirtyring.check-kernels/1", kernels: [run, { ...run, report: null }] },
  ].map((one): Json => JSON.parse(JSON.stringify(one)));
  const kept = await Deno.readTextFile(new URL("../golden/kept.jsonl", import.meta.url));
  for (const line of kept.trimEnd().split("\n")) {
    const { stdout } = JSON.parse(line);
    if (/^\{\s*"schema": ?"dirtyring\.\w/.test(stdout) && stdout.length < 10_000) {
      try {
        made.push(JSON.parse(stdout));
      } catch {
        // NDJSON
      }
    }
  }
  return made;
})();

/** Files for `compare`. */
export const comparedFiles: Format = {
  name: "compare",
  share: 40,
  make(random, site) {
    const base = pick(random, BASES);
    const names = Array.from({ length: once(random, 6) ? 3 : 2 }, (_, n) => {
      if (once(random, 100)) return pick(random, ["/nowhere", ".", "/dev/null"]);
      const name = once(random, 10) ? fileName(hostileText(random)) : `${n}.json`;
      site.write(name, content(random, once(random, 20) ? pick(random, BASES) : base));
      return name;
    });
    const args = ["compare", ...once(random, 20) ? ["--fail-above=0%"] : [], "--", ...names];
    if (once(random, 2)) args.splice(1, 0, `--format=${pick(random, ["json", "markdown"])}`);
    return Promise.resolve({ args });
  },
};

function content(random: Random, base: Json): Uint8Array<ArrayBuffer> {
  let value = base;
  for (let left = random(4); left > 0; left--) value = changed(random, value);
  const text = once(random, 20) ? hostileJson(random, value) : JSON.stringify(value);
  // As NDJSON, whose last line is the result.
  const before = once(random, 20) ? `${hostileJson(random, value)}\n` : "";
  const bytes = encoder.encode(before + text);
  return once(random, 12) ? damage(random, bytes) : bytes;
}
