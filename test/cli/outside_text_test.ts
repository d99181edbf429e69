// Names and values from files, folders, scripts, patterns, arguments, kernels and machines, through
// the real command line: none reaches a terminal unescaped, and none adds a line to the output.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { DIGEST_BYTES, encodeHead, PREFIX_BYTES } from "../../checkpoint/checkpoint_header.ts";
import { frameBytes, jsonFrame } from "../../vm/frames.ts";
import { denoArgs, dirtyring, eachOf } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { HOSTILE, HOSTILE_IN_JSON, LONG, SEEN, unclean } from "../support/outside_text.ts";
import { bzImage, moduleFile } from "../support/vm_files.ts";

const MODEL = ["--backend", "model"];
const QEMU = "qemu-system-x86_64";
const QEMU_VERSION = 'case $1 in --version) echo "QEMU emulator version 7.2.0"; exit ;; esac';
const encoder = new TextEncoder();

/** A command line that is given a text from outside somewhere. */
interface Place {
  readonly args: readonly string[];
  /** What QEMU is, as a shell's program. */
  readonly qemu?: string;
  /** The file that it writes, which is looked at, too. */
  readonly output?: string;
  /** How the line begins that may begin with `ok:`. */
  readonly verdict?: string;
  /** Whether its format has an escape of its own, which text/printable.ts has no part in. */
  readonly hasOwnEscape?: boolean;
  /** Whether its text is cut out of what is printed, being too long. */
  readonly isLong?: true;
}

/** A place where the text is the value of an argument. */
function argument(...args: string[]): Place {
  return { args };
}

const ARGUMENTS: Readonly<Record<string, Place>> = {
  "a command": argument(HOSTILE),
  "help of a command": argument("help", HOSTILE),
  "two commands": argument("help", "dump", HOSTILE),
  "an operand": argument("dump", HOSTILE),
  "what stands before a command": argument(`--${HOSTILE}`, "dump"),
  "an option": argument("dump", `--${HOSTILE}`),
  "a value of a flag": argument("dump", `--verbose=${HOSTILE}`),
  "a trace in no folder": argument("dump", ...MODEL, `--trace=/nowhere/${HOSTILE}`),
  "--model": argument("dump", ...MODEL, "--model", HOSTILE),
  "--guest": argument("dump", ...MODEL, "--guest", HOSTILE),
  "--pattern": argument("dump", ...MODEL, "--pattern", HOSTILE),
  "--pages": argument("dump", ...MODEL, "--pages", HOSTILE),
  "--format": argument("dump", ...MODEL, "--format", HOSTILE),
  "--ring": argument("dump", ...MODEL, "--ring", HOSTILE),
  "one of a list": argument("bench", ...MODEL, "--memory", `1MiB,${HOSTILE}`),
  "--only": argument("check", ...MODEL, "--only", HOSTILE),
  "--skip": argument("check", ...MODEL, "--skip", HOSTILE),
  "--only and --skip": argument("check", ...MODEL, "--only", "cap.*", "--skip", `cap.*,${HOSTILE}`),
  "a pattern file that is missing": argument("dump", ...MODEL, "--pattern", `file:${HOSTILE}`),
  "a script that is missing": argument("fuzz", "--file", HOSTILE),
  "a folder that is missing": argument("restore", ...MODEL, `/nowhere/${HOSTILE}`),
  "a folder that cannot be made": argument(
    "checkpoint",
    ...MODEL,
    "--into",
    `/nowhere/${HOSTILE}`,
  ),
  "an output in no folder": argument("check", ...MODEL, "--output", `/nowhere/${HOSTILE}`),
  "a kernel that is missing": argument("dump", "--kernel", HOSTILE),
  "a kernel's folder": argument("check", "--kernel", `/nowhere/${HOSTILE}`, "--kernel", "/nowhere"),
  "an operand that is long": { ...argument("dump", LONG), isLong: true },
  "a script's name that is long": { ...argument("fuzz", "--file", LONG), isLong: true },
  "a value that is long": { ...argument("dump", "--pattern", LONG), isLong: true },
  "an unexpected error's stack": argument("dump", "--verbose", ...MODEL, "--pattern", HOSTILE),
};

/** Makes files, and the command lines that read them. */
async function fileplaces(folder: Folder): Promise<Record<string, Place>> {
  const at = folder.path;
  const odd = HOSTILE.replaceAll("/", "");
  const pattern = await folder.write(`pattern ${odd}`, "0\n1\n2\n");
  const badPattern = await folder.write("bad pattern", `0\n${HOSTILE.slice(2)}`);
  const script = (name: string, text: string) => folder.write(name, text);
  const head = '{"ringBytes":4096,"vcpus":1,"logProgram":0}\n';
  const inJson = JSON.stringify(HOSTILE_IN_JSON);
  await folder.write(`full ${odd}/${odd}`, "");
  const dump = ["dump", ...MODEL, "--pages", "3", "--pattern", `file:${pattern}`];
  const fuzz = async (name: string, text: string): Promise<Place> => ({
    args: ["fuzz", "--file", await script(name, text)],
  });
  return {
    "a pattern file's name": { args: dump },
    "a pattern file's name in JSON": { args: [...dump, "--format", "json"] },
    "a line of a pattern file": { args: ["dump", ...MODEL, "--pattern", `file:${badPattern}`] },
    "what a script does": await fuzz("do", `${head}{"do":${inJson}}`),
    "an odd thing that a script does": await fuzz("odd do", `${head}{"do":[${inJson}]}`),
    "a field of a script": await fuzz("field", `{${inJson}:1}`),
    "what a full folder holds": {
      args: ["checkpoint", ...MODEL, "--into", `${at}/full ${odd}`],
    },
    "a folder without a checkpoint": {
      args: ["restore", ...MODEL, `${at}/full ${odd}`],
    },
  };
}

/** A checkpoint file with another header, and the digest that it then must have. */
async function reheaded(
  bytes: Uint8Array,
  change: (header: Record<string, unknown>) => void,
): Promise<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const end = PREFIX_BYTES + view.getUint32(PREFIX_BYTES - 4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, end)));
  change(header);
  const body = new Blob([encodeHead(header), bytes.slice(end, bytes.length - DIGEST_BYTES)]);
  const all = await body.bytes();
  const digest = await crypto.subtle.digest("SHA-256", all);
  return await new Blob([all, digest]).bytes();
}

async function checkpointPlaces(folder: Folder): Promise<Record<string, Place>> {
  const odd = `${folder.path}/checkpoints ${HOSTILE.replaceAll("/", "")}`;
  const kept = await dirtyring([
    ...["checkpoint", ...MODEL, "--epochs", "1", "--interval", "5ms", "--memory", "1MiB"],
    ...["--pages", "16", "--into", odd],
  ]);
  assertEquals([kept.code, unclean(kept.stdout, "ok: after 1 epoch and ")], [0, []]);
  assertStringIncludes(kept.stdout, SEEN);
  const FULL = "epoch-000000-full.ckpt";
  const whole = await Deno.readFile(`${odd}/${FULL}`);
  const places: Record<string, Place> = {};
  const verdict = "ok: epoch ";
  const restored = async (
    name: string,
    change: (header: Record<string, unknown>) => void,
    facts: Partial<Place> = {},
  ) => {
    const path = `${folder.path}/${name}`;
    await folder.write(`${name}/${FULL}`, await reheaded(whole, change));
    places[name] = { args: ["restore", ...MODEL, path], verdict, ...facts };
    const json = [...places[name].args, "--format", "json"];
    places[`${name}, as JSON`] = { ...places[name], args: json };
  };
  const kernel = { backend: "kvm", model: null, release: HOSTILE_IN_JSON, module: null };
  const lab = (header: Record<string, unknown>) => header["lab"] as Record<string, unknown>;
  await restored("a header's release", (header) => header["kernel"] = kernel);
  await restored(
    "a header's model",
    (header) => header["kernel"] = { ...kernel, backend: "model", model: HOSTILE_IN_JSON },
  );
  await restored("a header's pattern", (header) => lab(header)["pattern"] = HOSTILE_IN_JSON);
  await restored(
    "a header's pattern file",
    (header) => lab(header)["pattern"] = `file:${HOSTILE_IN_JSON}`,
  );
  await restored(
    "a header's long release",
    (header) => header["kernel"] = { ...kernel, release: LONG.slice(0, 60_000) },
    { isLong: true },
  );
  delete places["a header's long release, as JSON"]; // which holds all of it, in a line
  const broken = whole.slice();
  broken.set(encoder.encode("x\x1b[2J\n"), PREFIX_BYTES);
  await folder.write(`broken/${FULL}`, broken);
  places["a header that is no JSON"] = {
    args: ["restore", ...MODEL, `${folder.path}/broken`],
  };
  places["a folder of checkpoints"] = { args: ["restore", ...MODEL, odd], verdict };
  await Deno.truncate(`${odd}/epoch-000001.ckpt`, 100);
  return places;
}

/** Makes kernels and what stands for QEMU, and the command lines that ask them. */
async function machinePlaces(folder: Folder): Promise<Record<string, Place>> {
  const word = HOSTILE.replaceAll(" ", "_");
  const odd = await folder.write("kernel/bzImage", bzImage(word));
  const plain = await folder.write("plain/bzImage", bzImage("6.12.1"));
  const other = await folder.write("other/bzImage", bzImage("6.12.1"));
  const ko = moduleFile(word, `kvm,${HOSTILE}`);
  await folder.write("modules/kernel/arch/x86/kvm/kvm-amd.ko", ko);
  await folder.write("depends/kernel/arch/x86/kvm/kvm-amd.ko", moduleFile("6.12.1", HOSTILE));
  for (const n of [1, 2]) await folder.write(`both/vmlinuz-${n}${HOSTILE}`, bzImage("6.12.1"));
  const console = await folder.write("console", `[ 1.0] ${HOSTILE}\n`);
  const panic = await folder.write(
    "panic",
    `[ 1.0] Kernel panic - not syncing: ${HOSTILE.replaceAll("\n", " ")}\n`,
  );
  const complaint = await folder.write("complaint", `${QEMU}: ${HOSTILE.slice(9)}\n`);
  const frames = async (name: string, ...all: Uint8Array<ArrayBuffer>[]): Promise<string> => {
    const file = await folder.write(`frames ${name}`, await new Blob(all).bytes());
    return `cat '${file}'; exec sleep 60`;
  };
  const facts = { backend: "kvm", model: null, module: HOSTILE_IN_JSON, ringMaxBytes: 65536 };
  const hello = jsonFrame("hello", { ...facts, release: HOSTILE_IN_JSON });
  const end = jsonFrame("end", { code: 0 });
  const text = encoder.encode(`${HOSTILE.replaceAll("ok:", "no:")}\n`);
  const said = [hello, frameBytes("stdout", text), frameBytes("stderr", text), end];
  const result = {
    id: "cap.max-bytes",
    group: HOSTILE,
    status: "fail",
    statement: HOSTILE,
    defect: false,
    detail: HOSTILE,
    expected: HOSTILE,
    seen: HOSTILE,
    source: HOSTILE,
    withheld: null,
    ms: 1,
    where: "anywhere",
    reports: [[HOSTILE, HOSTILE]],
  };
  const checked = await frames(
    "checks",
    hello,
    frameBytes("stdout", encoder.encode(`${JSON.stringify(result)}\n`)),
    frameBytes("stderr", text),
    end,
  );
  const problem = (words: string[], error: string | null) =>
    jsonFrame("problem", { refused: [{ name: HOSTILE, errno: 22 }], words, error });
  const dump = ["dump", "--kernel", plain];
  const check = ["check", "--only", "cap.max-bytes", "--kernel", plain];
  const places: Record<string, Place> = {
    "a kernel's release": { args: ["dump", "--kernel", odd], qemu: `cat '${panic}' >&2` },
    "a module's release": {
      args: ["dump", "--kernel", odd, "--modules", `${folder.path}/depends`],
    },
    "what a module is for": { args: [...dump, "--modules", `${folder.path}/modules`] },
    "what a module depends on": { args: [...dump, "--modules", `${folder.path}/depends`] },
    "kernels of a folder": { args: ["dump", "--kernel", `${folder.path}/both`] },
    "a console": { args: dump, qemu: `cat '${console}' >&2` },
    "a panic": { args: dump, qemu: `cat '${panic}' >&2` },
    "panics beside each other": {
      args: ["check", "--kernel", odd, "--kernel", plain],
      qemu: `cat '${panic}' '${console}' >&2`,
    },
    "QEMU's complaint": { args: dump, qemu: `cat '${complaint}' >&2; exit 1` },
    "what a machine prints": { args: dump, qemu: await frames("output", ...said) },
    "what a machine lacks": { args: dump, qemu: await frames("lacks", problem([HOSTILE], null)) },
    "what a machine fails with": { args: dump, qemu: await frames("fails", problem([], HOSTILE)) },
    "a machine's damaged check": {
      args: check,
      qemu: await frames("damaged", hello, frameBytes("stdout", text), end),
    },
  };
  for (const format of ["text", "ndjson", "ktap"]) {
    places[`a machine's check, as ${format}`] = {
      args: [...check, "--format", format],
      qemu: checked,
    };
  }
  for (const format of ["text", "json", "ktap", "junit"]) {
    places[`machines' checks, as ${format}`] = {
      args: [...check, "--kernel", other, "--format", format],
      qemu: checked,
      hasOwnEscape: format === "junit",
    };
  }
  const output = `${folder.path}/checks ${HOSTILE.replaceAll("/", "")}`;
  places["a machine's check in a file"] = {
    args: [...check, "--output", output],
    qemu: checked,
    output,
  };
  return places;
}

async function placesIn(folder: Folder): Promise<Record<string, Place>> {
  const [files, checkpoints, machines] = await Promise.all([
    fileplaces(folder),
    checkpointPlaces(folder),
    machinePlaces(folder),
  ]);
  return { ...ARGUMENTS, ...files, ...checkpoints, ...machines };
}

/** Another module in the place of text/printable.ts. */
async function importMap(folder: Folder): Promise<string> {
  const root = new URL("../../", import.meta.url);
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("import_map.json", root)));
  const stands = new URL("test/support/unescaped.ts", root).href;
  const printable = new URL("text/printable.ts", root).href;
  return await folder.write(
    "map.json",
    JSON.stringify({ imports: { ...imports, [printable]: stands } }),
  );
}

/** Runs a place's command line, and answers all that it printed and wrote. */
async function printedAt(
  folder: Folder,
  name: string,
  { args, qemu, output }: Place,
  flags: readonly string[] = [],
): Promise<string> {
  const bin = `bin ${name.replaceAll(/[^a-z ]/gi, "")}`;
  await folder.program(`${bin}/${QEMU}`, `${QEMU_VERSION}\n${qemu ?? "exit 9"}`);
  const [run, ...rest] = denoArgs(args);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [run!, ...flags, ...rest],
    env: { PATH: `${folder.path}/${bin}:/usr/bin:/bin` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const written = output === undefined ? "" : await Deno.readTextFile(output);
  return [stdout, stderr].map((bytes) => decoder.decode(bytes)).join("\n") + written;
}

Deno.test("no text from outside reaches a terminal as it is, nor forges a line", async () => {
  await using folder = await Folder.make();
  const places = await placesIn(folder);
  const wrong: Record<string, readonly string[]> = {};
  await eachOf(Object.entries(places), async ([name, place]) => {
    const printed = await printedAt(folder, name, place);
    const found = unclean(printed, place.verdict);
    const shown = place.isLong ? "…" : place.hasOwnEscape === true ? "&#155;31m" : SEEN;
    const isShown = printed.includes(shown);
    if (found.length > 0) wrong[name] = [...found, printed.slice(0, 1000)];
    else if (!isShown) wrong[name] = ["it is not shown", printed.slice(0, 1000)];
  });
  assertEquals(wrong, {});
});

Deno.test("where nothing is escaped, each of these places is found out", async () => {
  await using folder = await Folder.make();
  const places = await placesIn(folder);
  const flags = ["--no-config", "--import-map", await importMap(folder)];
  const passed: string[] = [];
  await eachOf(Object.entries(places), async ([name, place]) => {
    if (place.hasOwnEscape === true) return;
    const printed = await printedAt(folder, name, place, flags);
    if (unclean(printed, place.verdict).length === 0) passed.push(name);
  });
  assertEquals(passed, []);
});
