// Checkpoint files with damaged bytes, changed headers or inconsistent sizes, cut off or grown,
// with a valid digest and without.
import type { Random } from "../../guest/pattern.ts";
import { damage, joined, noise } from "./bytes.ts";
import { once, pick, weighted } from "./chance.ts";
import { base, BASES, makeBases } from "./checkpoint_bases.ts";
import {
  type Chain,
  chained,
  digested,
  headerEnd,
  headerOf,
  withHeader,
} from "./checkpoint_bytes.ts";
import type { Format } from "./hostile_case.ts";
import { changed, hostileJson, type Json } from "./json.ts";
import { hostileNumber } from "./texts.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Change = (random: Random, bytes: Bytes) => Bytes;

/**
 * Changes of a file. Most of them get a valid digest afterwards, as otherwise only the digest is
 * tested.
 */
const CHANGES: readonly (readonly [number, Change])[] = [
  [3, (random, bytes) => damage(random, bytes)],
  [10, changeHeader],
  [6, disagree],
  [2, (random, bytes) => damage(random, bytes, 0, headerEnd(bytes))],
  [4, (random, bytes) => damage(random, bytes, headerEnd(bytes))],
  [1, (random, bytes) => bytes.slice(0, random(bytes.length))],
  [1, (random, bytes) => joined([bytes, noise(random, 1 + random(5000))])],
];

/** Checkpoint files. */
export const checkpointFiles: Format = {
  name: "checkpoint",
  share: 40,
  prepare: makeBases,
  async make(random, site) {
    const chain = base(site.shared, pick(random, BASES));
    const name = pick(random, [...chain.keys()]);
    const bytes = weighted(random, CHANGES)(random, chain.get(name)!.slice());
    let files: Chain = new Map([...chain, [name, bytes]]);
    if (!once(random, 5)) files = await chained(files, name);
    else if (once(random, 2)) files = new Map([...files, [name, await digested(bytes)]]);
    for (const [one, content] of files) site.write(`chain/${one}`, content);
    const format = pick(random, ["text", "json", "ndjson"]);
    return { args: ["restore", "chain", "--backend", "model", "--format", format] };
  },
};

function changeHeader(random: Random, bytes: Bytes): Bytes {
  let header: Json = headerOf(bytes);
  for (let left = 1 + random(2); left > 0; left--) header = changed(random, header);
  return withHeader(bytes, hostileJson(random, header));
}

// A size that is plausible alone, but not together with the others; sometimes the file is longer,
// too.
function disagree(random: Random, bytes: Bytes): Bytes {
  const header = headerOf(bytes);
  const lab = header["lab"] as { readonly [name: string]: Json }; // as the writer wrote it
  const number = () => Math.abs(Math.trunc(hostileNumber(random)));
  const field = pick(random, ["pages", "slot0Bytes", "epoch"]);
  const ofLab = pick(random, ["vcpus", "memory", "slots", "ring", "pages", "passes", "seed"]);
  const other = once(random, 3)
    ? { ...header, [field]: field === "slot0Bytes" ? number() * 4096 : number() }
    : { ...header, lab: { ...lab, [ofLab]: ofLab === "memory" ? number() * 4096 : number() } };
  const changed = withHeader(bytes, JSON.stringify(other));
  return once(random, 2) ? changed : joined([changed, new Uint8Array(random(1 << 16))]);
}
