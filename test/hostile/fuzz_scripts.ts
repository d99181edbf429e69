// Programs for `fuzz --file`: those of the generator of `fuzz`, with changed fields, lines and
// bytes.
import { fuzzText } from "../../commands/fuzz/fuzz_text.ts";
import { replay } from "../../conformance/fuzz/fuzz.ts";
import { generateProgram } from "../../conformance/fuzz/generate.ts";
import { parseProgram } from "../../conformance/fuzz/program.ts";
import type { Random } from "../../guest/pattern.ts";
import { openKernel } from "../../host/backend.ts";
import { Interrupt } from "../../host/interrupt.ts";
import { damage } from "./bytes.ts";
import { once, pick } from "./chance.ts";
import type { Format } from "./hostile_case.ts";
import { changed, hostileJson, type Json } from "./json.ts";
import { fileName } from "./site.ts";
import { hostileText } from "./texts.ts";

const SMALLEST_RING = 4096;
const encoder = new TextEncoder();

/** Programs for `fuzz --file`. */
export const fuzzScripts: Format = {
  name: "fuzz-file",
  share: 40,
  make(random, site) {
    const bytes = script(random);
    const name = once(random, 10) ? fileName(hostileText(random)) : "program";
    const path = once(random, 60) ? pick(random, ["/nowhere", ".", "/dev/null"]) : name;
    site.write(name, bytes);
    const args = ["fuzz", `--file=${path}`];
    if (once(random, 10)) args.push("--format", pick(random, ["json", "ktap", "text"]));
    if (once(random, 2)) return Promise.resolve({ args });
    // On a host without KVM the command ends after it has read the file. So run the model against
    // the model.
    return Promise.resolve({ args, call: () => replayed(new TextDecoder().decode(bytes)) });
  },
};

function script(random: Random): Uint8Array<ArrayBuffer> {
  const { ops, ...head } = generateProgram(random(2 ** 32), random(1000), SMALLEST_RING);
  let values: Json[] = [{ ...head }, ...ops.map((op): Json => ({ ...op }))];
  for (let left = random(4); left > 0; left--) {
    const at = random(values.length);
    values = values.map((value, n) => n === at ? changed(random, value) : value);
  }
  const lines = values.map((value) =>
    once(random, 20) ? hostileJson(random, value) : JSON.stringify(value)
  );
  if (once(random, 6)) lines.splice(random(lines.length), 1);
  if (once(random, 8)) lines.splice(random(lines.length), 0, hostileText(random));
  if (once(random, 60)) lines.push("#".repeat(1 << 20), `{"do":"${"x".repeat(1 << 20)}"}`);
  const end = once(random, 10) ? pick(random, ["\r\n", "\r", "\u2028", "\n\n"]) : "\n";
  const bytes = encoder.encode((once(random, 12) ? "\ufeff" : "") + lines.join(end) + end);
  return once(random, 6) ? damage(random, bytes) : bytes;
}

async function replayed(text: string): Promise<number> {
  const open = () => openKernel({ backend: "model", model: undefined }, null, () => {});
  using interrupt = new Interrupt();
  const result = await replay(await open(), await open(), parseProgram(text), interrupt);
  // Both kernels are the same model, so that a difference is a defect of the fuzzer.
  if (!result.ok) {
    throw new Error(`The model differs from itself: ${[...fuzzText(result)].join("")}`);
  }
  return 0;
}
