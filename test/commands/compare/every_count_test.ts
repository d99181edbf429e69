// Every number of every result: another one is told, or is one of those named here.
import { assert, assertEquals } from "@std/assert";
import { compare } from "../../../commands/compare/compare.ts";
import { UsageError } from "../../../host/errors.ts";
import { shell } from "../../support/cli.ts";
import { RESULT } from "../../support/bench_results.ts";
import { comparable, KVM } from "../../support/compared_results.ts";
import { Folder } from "../../support/folder.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const MODEL = "--backend model";
const LINES: Readonly<Record<string, string>> = {
  stats: `stats ${MODEL} --pattern random --vcpus 2`,
  run: `run ${MODEL} --sort --pages 5000 --pattern random`,
  reset: `reset ${MODEL} --gap 3 --kernel-state`,
  "reset --sort": `reset ${MODEL} --sort`,
  dump: `dump ${MODEL} --kernel-state`,
  live: `live ${MODEL} --stores 20000 --ring 256 --witness`,
  checkpoint: `checkpoint ${MODEL} --stores 20000 --interval 5ms --max-dirty 400 --into made`,
  restore: `restore ${MODEL} made`,
  "bench cost": `bench ${MODEL} --sweep cost --memory 16MiB --pages 16,64 --repetitions 3`,
};

const KERNEL = { ...KVM, backend: "model", model: "v6.12", module: null };
/** Made-up results, which would take long, or a real kernel. */
const MADE: Readonly<Record<string, object>> = {
  "bench of all sweeps": { ...RESULT, kernel: KERNEL },
  fuzz: {
    schema: "dirtyring.fuzz/1",
    kernel: KERNEL,
    seed: 1,
    planned: 9,
    programs: 9,
    calls: 100,
    entries: 200,
    allowances: { "push.read-may-push": 3, "mmap.exec": 0 },
    endedEarly: 1,
    mismatch: null,
    interrupted: null,
    ok: true,
  },
};

/** What is in every result, and what the text of docs/regression.md leaves out. */
const LEFT_OUT = new RegExp(
  [
    // How it was made; what the same options give; what only a real kernel has.
    /^(provenance|kernel|kernelLog|slots|lost|model|from)\b/,
    /^options\.(memory|pages)\b|^ringSizeGuest\b|^planned$|^seed$/,
    /(^|\.)repetitions$|^sort\.faster$/,
    // Which it is.
    /\.(vcpu|epoch|index)$/,
    // Follows from what is compared.
    /\.histogram\b|[dD]irtyFraction$|^summary\.figures\b|\.bytes$|^epochs\[\]\.fileBytes$/,
    /(^|\.)rings\[\]\.(sorted\.)?(entries|pages)PerBatch\b/,
    // Entries of `dump` are facts, and where pages are, lists beside their count.
    /^rings\[\]\.entries\b|\.pages\[\]/,
    // Samples of a model are its own time; medians stand beside them.
    /(^|\.)samples\b/,
    // Times, rates, and ratios of them.
    /Ns$|NsPerEntry$|StoresPerSecond$|^ringSizes\[\]\.storesPerSecond$|(^|\.)ratio$/,
    /^(crossover|sortPays)\b/,
  ].map(({ source }) => source).join("|"),
);

/** A number of a result, which can be changed. */
interface Place {
  readonly path: string;
  readonly value: number;
  set(to: Json): void;
}

function* numbers(value: Json, path = ""): Generator<Place> {
  if (value === null || typeof value !== "object") return;
  const holder = value as { [name: string]: Json }; // a list is an object of indices
  for (const name of Object.keys(holder)) {
    const at = Array.isArray(value) ? `${path}[]` : path === "" ? name : `${path}.${name}`;
    const one = holder[name]!;
    if (typeof one === "number") yield { path: at, value: one, set: (to) => holder[name] = to };
    else yield* numbers(one, at);
  }
}

Deno.test("another number is told, and what is none is refused, field by field", async (t) => {
  await using folder = await Folder.make();
  const texts: Record<string, () => Promise<string>> = {};
  for (const [name, line] of Object.entries(LINES)) {
    texts[name] = async () => {
      const { code, stdout, stderr } = await shell(`dirtyring ${line} --format json`, folder.path);
      assertEquals([code, stderr], [0, ""], line);
      return stdout;
    };
  }
  for (const [name, made] of Object.entries(MADE)) {
    texts[name] = () => Promise.resolve(JSON.stringify(made));
  }
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, async () => {
      const json = await text();
      const result: Json = JSON.parse(json);
      const base = comparable("old.json", JSON.parse(json));
      const isTold = (): boolean => {
        // It is read as from a file, and so cannot change.
        const now = comparable("new.json", { ...Object(result) });
        const { statements, figures } = compare(base, [now], 0);
        const changes = [...statements, ...figures].map(({ others }) => others[0]!.change);
        return changes.some((change) => change !== "same" && change !== "not judged");
      };
      assert(!isTold(), "the same result");
      const places = Map.groupBy(numbers(result), ({ path }) => path);
      const ignored: string[] = [];
      for (const [path, [place]] of places) {
        if (LEFT_OUT.test(path)) continue;
        place!.set(place!.value + 4321);
        try {
          if (!isTold()) ignored.push(path);
        } catch (error) {
          assert(error instanceof UsageError, path); // it is another lab
        }
        place!.set("x");
        try {
          isTold();
          ignored.push(`${path} is a text`);
        } catch (error) {
          assert(error instanceof UsageError, path);
        }
        place!.set(place!.value);
      }
      assertEquals(ignored, []);
    });
  }
});
