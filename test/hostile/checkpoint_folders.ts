// Folders of checkpoints with missing epochs, names that look like an epoch's, files of another
// machine, links and pipes.
import type { Random } from "../../guest/pattern.ts";
import { once, pick } from "./chance.ts";
import { base, BASES, makeBases } from "./checkpoint_bases.ts";
import type { Format, HostileCase } from "./hostile_case.ts";
import { fileName, type Site } from "./site.ts";
import { hostileText } from "./texts.ts";

const NAMES: readonly string[] = [
  "epoch-0000001.ckpt",
  "epoch-0000002.ckpt",
  "epoch-000001-full.ckpt",
  "epoch-000002-full.ckpt",
  "epoch-999999.ckpt",
  "epoch-9007199254740993.ckpt",
  `epoch-${"9".repeat(200)}.ckpt`,
  "epoch-000003.ckpt",
  "epoch-000003.ckpt.part",
  "epoch-000001.ckpt.part",
  "epoch-1.ckpt",
  "EPOCH-000001.CKPT",
  "epoch-000001.ckpt\n",
  "epoch-000001.ckpt\x1b[2J",
  "epoch-000000.ckpt",
];
const TARGETS: readonly string[] = [
  ".",
  "..",
  "/dev/null",
  "/dev/zero",
  "/dev/full",
  "/proc/self/mem",
];

/** Folders of checkpoints. */
export const checkpointFolders: Format = {
  name: "chain",
  share: 20,
  prepare: makeBases,
  async make(random, site) {
    if (once(random, 8)) return ofOtherFolder(random, site);
    const own = pick(random, BASES);
    const files = [...base(site.shared, own)].filter(() => !once(random, 6));
    const folder = once(random, 4) ? fileName(hostileText(random)) : "chain";
    site.directory(folder);
    for (const [name, bytes] of files) site.write(`${folder}/${name}`, bytes);
    for (let left = random(4); left > 0; left--) await addStray(random, site, folder);
    const format = pick(random, ["text", "json", "ndjson"]);
    return {
      args: ["restore", "--backend", "model", "--format", format, "--", folder],
    };
  },
};

// Adds something that does not belong to the chain.
async function addStray(random: Random, site: Site, folder: string): Promise<void> {
  const strange = [...base(site.shared, pick(random, BASES))];
  const [, bytes] = pick(random, strange);
  const name = once(random, 4) ? fileName(hostileText(random)) : pick(random, NAMES);
  const path = `${folder}/${name}`;
  if (site.has(path)) return;
  switch (random(8)) {
    case 0:
      return void site.directory(path);
    case 1:
      return site.link(pick(random, [...TARGETS, name, "epoch-000001.ckpt"]), path);
    case 2:
      return once(random, 4) ? await site.pipe(path) : site.link("nowhere", path);
    case 3:
      return void site.write(path, "");
    case 4:
      return void site.write(path, bytes.slice(0, random(bytes.length)));
    default:
      return void site.write(path, bytes);
  }
}

// A path that is no folder of checkpoints, to restore from or to write to.
async function ofOtherFolder(random: Random, site: Site): Promise<HostileCase> {
  const name = fileName(hostileText(random));
  const [isThere, asFile] = [once(random, 2), once(random, 2)];
  if (isThere && asFile) site.write(name, hostileText(random));
  else if (isThere) site.write(`${name}/${fileName(hostileText(random))}`, hostileText(random));
  else if (once(random, 4)) await site.pipe(name);
  const path = once(random, 4) ? pick(random, TARGETS) : `./${name}`;
  if (once(random, 2)) {
    return { args: ["restore", "--backend", "model", "--", path] };
  }
  const run = ["--memory", "32KiB", "--pages", "4", "--epochs", "1", "--interval", "1ms"];
  return {
    args: ["checkpoint", ...run, `--into=${path}`, "--backend", "model"],
    writes: [name, path],
  };
}
