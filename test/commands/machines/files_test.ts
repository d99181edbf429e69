// The files of this host that a command in a machine may read and write: exactly those that it
// names.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MachineFiles } from "../../../cli/machine_files.ts";
import {
  filesOf as namedFiles,
  type Option,
  type OptionFile,
  type OptionTable,
} from "../../../cli/option.ts";
import { COMMAND_NAMES, loadCommand } from "../../../commands/registry.ts";
import { UsageError } from "../../../host/errors.ts";
import type { GuestFile } from "../../../vm/guest_request.ts";
import { OutputSender } from "../../../vm/init.ts";
import { Folder } from "../../support/folder.ts";
import "../../support/libc.ts"; // loaded once, and not within a test

/** The options whose value is a file or a folder, and which do not say so. */
function undeclared(options: OptionTable): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const text = /\b(FILE|DIR)\b/.test(option.value ?? "") ? "a/b" : "file:a/b";
    let value: unknown;
    try {
      value = option.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return []; // it takes no file
    }
    const isPath = text === "a/b" ||
      (typeof value === "object" && value !== null && "path" in value && value.path === "a/b");
    if (!isPath || option.value === null) return [];
    const isDeclared = namedFiles(option, value)[0]?.path === "a/b" &&
      namedFiles(option, option.fallback).length === 0;
    return isDeclared ? [] : [name];
  });
}

Deno.test("every option that names a file or a folder says so: its machine is given that", async () => {
  const files: string[] = [];
  for (const name of COMMAND_NAMES) {
    const { options, operands } = await loadCommand(name);
    assertEquals(undeclared({ ...options, ...operands }), [], name);
    for (const [option, { file }] of Object.entries({ ...options, ...operands })) {
      if (file !== undefined) files.push(`${name} ${option}`);
    }
  }
  for (const one of ["dump pattern", "checkpoint into", "restore folder", "fuzz file"]) {
    assert(files.includes(one), `${files}`);
  }
});

Deno.test("an option that does not say so is found", () => {
  const plain: Option<unknown> = {
    value: "FILE",
    help: "",
    fallback: undefined,
    fallbackText: null,
    parse: (text) => text,
  };
  const pattern = { ...plain, value: "P", parse: (text: string) => ({ path: text.slice(5) }) };
  const says = (path: unknown): OptionFile | null =>
    path === undefined ? null : { path: `${path}`, use: "read" };
  assertEquals(undeclared({ plain, folder: { ...plain, value: "DIR" }, pattern }), [
    ...["plain", "folder", "pattern"],
  ]);
  assertEquals(undeclared({ plain: { ...plain, file: says } }), []);
  assertEquals(undeclared({ always: { ...plain, file: () => says("a/b") } }), ["always"]);
  assertEquals(undeclared({ other: { ...plain, value: "N" } }), []);
});

/** The files of options that are what their names say. */
async function filesOf(uses: readonly (readonly [OptionFile["use"], string])[]) {
  const options: Record<string, Option<unknown>> = {};
  const values: Record<string, unknown> = {};
  for (const [n, [use, path]] of uses.entries()) {
    options[`o${n}`] = {
      value: "FILE",
      help: "",
      fallback: undefined,
      fallbackText: null,
      parse: (text) => text,
      file: (value) => value === undefined ? null : { path: `${value}`, use },
    };
    values[`o${n}`] = path;
  }
  options["unused"] = options["o0"]!;
  return await MachineFiles.of(values, { name: "dump", options, operands: {} });
}

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

Deno.test("files that are read go along under their absolute paths, whatever their names", async () => {
  await using folder = await Folder.make();
  const odd = await folder.write("a name\nof two lines, ü $x", "odd");
  const upwards = "../".repeat(Deno.cwd().split("/").length - 1);
  const relative = `${upwards}${folder.path.slice(1)}/plain`;
  await folder.write("plain", "plain");
  const files = await filesOf([["read", odd], ["read", relative]]);
  assertEquals([...files.files].map(([path, bytes]) => [path, text(bytes)]), [
    [odd, "odd"],
    [`${Deno.cwd()}/${relative}`, "plain"],
  ]);
  assertEquals([files.inputs, files.outputs, files.stdin], [[...files.files.keys()], [], null]);
});

Deno.test("a folder that is read goes along with its files, empty or not", async () => {
  await using folder = await Folder.make();
  const at = `${folder.path}/odd name, ü`;
  await folder.write("odd name, ü/one", "1");
  await folder.write("odd name, ü/two", "2");
  await folder.write("odd name, ü/below/three", "3");
  await Deno.mkdir(`${folder.path}/empty`);
  // What is no file would be waited for, or leads nowhere.
  await new Deno.Command("mkfifo", { args: [`${at}/pipe`] }).output();
  await Deno.symlink("pipe", `${at}/link`);
  await Deno.symlink("nowhere", `${at}/nowhere`);
  const files = await filesOf([["read folder", `${at}//`], [
    "read folder",
    `${folder.path}/empty`,
  ]]);
  assertEquals([...files.files].map(([path, bytes]) => [path, text(bytes)]).sort(), [
    [`${at}/one`, "1"],
    [`${at}/two`, "2"],
  ]);
  assertEquals(files.inputs, [at, `${folder.path}/empty`]);
  assertEquals(files.folders, files.inputs);
});

Deno.test("a folder that an operand names goes along, and is told of by the command's name", async () => {
  await using folder = await Folder.make();
  await folder.write("kept/one", "1");
  const restore = await loadCommand("restore");
  const files = await MachineFiles.of({ folder: `${folder.path}/kept` }, restore);
  assertEquals([...files.files.keys()], [`${folder.path}/kept/one`]);
  const nowhere = `${folder.path}/nowhere`;
  await assertRejects(
    () => MachineFiles.of({ folder: nowhere }, restore),
    UsageError,
    `restore ${nowhere}: ENOENT (no such file or directory); expected a folder`,
  );
});

Deno.test("what cannot be read or written is told before a machine is started", async () => {
  await using folder = await Folder.make();
  const at = folder.path;
  await folder.write("full/file");
  const wrong = (use: OptionFile["use"], path: string, message: string) =>
    assertRejects(() => filesOf([[use, path]]), UsageError, message);
  await wrong("read", `${at}/nowhere`, `--o0 ${at}/nowhere: open(${at}/nowhere): ENOENT`);
  await wrong("read", at, "EISDIR");
  await wrong(
    "read folder",
    `${at}/nowhere`,
    "ENOENT (no such file or directory); expected a folder",
  );
  await wrong("read folder", `${at}/full/file`, "ENOTDIR");
  await wrong("write", at, `--o0 ${at}: is a folder`);
  await wrong("write", `${at}/nowhere/file`, `--o0 ${at}/nowhere/file: ENOENT`);
  await wrong("write folder", `${at}/full`, "holds file already");
});

/** A file as a machine sends it. */
function packed(content: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
}

async function names(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
}

Deno.test("a file that is written is this host's, whole, and only when it comes", async () => {
  await using folder = await Folder.make();
  const at = folder.path;
  await folder.write("old", "old");
  const files = await filesOf([["write", `${at}/old`], ["write", `${at}/new`]]);
  assertEquals([files.outputs, await names(at)], [[`${at}/old`, `${at}/new`], ["old"]]);
  assertEquals(await Deno.readTextFile(`${at}/old`), "old");
  await files.take({ output: `${at}/old`, below: "" }, packed("result"));
  assertEquals([await names(at), await Deno.readTextFile(`${at}/old`)], [["old"], "result"]);
  await files.take({ output: `${at}/new`, below: "" }, packed(""));
  assertEquals([await names(at), await Deno.readTextFile(`${at}/new`)], [["new", "old"], ""]);
});

Deno.test("a result may go to a device, which stays one", async () => {
  const files = await filesOf([["write", "/dev/null"]]);
  await files.take({ output: "/dev/null", below: "" }, packed("result"));
  assert((await Deno.stat("/dev/null")).isCharDevice);
  const full = await filesOf([["write", "/dev/full"]]);
  await full.take({ output: "/dev/full", below: "" }, packed("result"));
  assertEquals(full.unwritten, [
    { why: "--o0 /dev/full: ENOSPC (no space left)", text: "result" },
  ]);
});

Deno.test("a machine writes nothing but what its command was to write", async () => {
  await using folder = await Folder.make();
  const at = folder.path;
  await folder.write("mine", "mine");
  const files = await filesOf([["write folder", `${at}/out`], ["write", `${at}/result`]]);
  const refused: readonly GuestFile[] = [
    { output: `${at}/out`, below: "../mine" },
    { output: `${at}/out`, below: `${at}/mine` },
    { output: `${at}/out`, below: ".." },
    { output: `${at}/out`, below: ".hidden" },
    { output: `${at}/out`, below: "below/file" },
    { output: `${at}/out`, below: "a\0b" },
    { output: `${at}/out`, below: "" },
    { output: `${at}/out`, below: "/" },
    { output: at, below: "mine" },
    { output: `${at}/mine`, below: "" },
    { output: `${at}/out/../..`, below: "mine" },
    { output: "", below: "mine" },
  ];
  for (const file of refused) await files.take(file, packed("x".repeat(1 << 20)));
  assertEquals([await names(at), await names(`${at}/out`)], [["mine", "out"], []]);
  assertEquals(await Deno.readTextFile(`${at}/mine`), "mine");
  await files.take({ output: `${at}/out`, below: "epoch, ü" }, packed("kept"));
  assertEquals(await Deno.readTextFile(`${at}/out/epoch, ü`), "kept");
});

Deno.test("a file of a folder is there whole or not at all", async () => {
  await using folder = await Folder.make();
  const at = `${folder.path}/out`;
  const files = await filesOf([["write folder", at]]);
  const cut = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async start(controller) {
      for await (const piece of packed("x".repeat(1 << 20))) controller.enqueue(piece);
      controller.error(new Error("the machine has ended"));
    },
  });
  const file: GuestFile = { output: at, below: "epoch" };
  await assertRejects(() => files.take(file, cut), UsageError, "epoch: the machine has ended");
  assertEquals(await names(at), []);
  await Deno.remove(at);
  await assertRejects(() => files.take(file, packed("x")), UsageError, "ENOENT");
});

Deno.test("what a command wrote in a machine is what this host gets", async () => {
  await using guest = await Folder.make();
  await using host = await Folder.make();
  const long = crypto.getRandomValues(new Uint8Array(60_000));
  await guest.write("out/one", long);
  await guest.write("out/two", "");
  await guest.write("out/three.part", "not whole");
  await guest.write("result", "text");
  const [out, result] = [`${host.path}/out`, `${host.path}/result`];
  const files = await filesOf([["write folder", out], ["write", result]]);

  const sent: { file: GuestFile; pieces: Uint8Array<ArrayBuffer>[] }[] = [];
  const outputs = ["out", "result", "nowhere"].map((name) => `${guest.path}/${name}`);
  const sender = new OutputSender(outputs, (kind, body) => {
    const bytes = new Uint8Array(body);
    if (kind !== "file") sent.at(-1)!.pieces.push(bytes);
    else sent.push({ file: JSON.parse(new TextDecoder().decode(bytes)), pieces: [] });
    return Promise.resolve();
  });
  await sender.sendFinished();
  assertEquals(sent.map(({ file }) => file.below), ["one", "two"]);
  await guest.write("out/four", "late");
  await sender.sendRest();
  assertEquals(sent.map(({ file }) => file.below), ["one", "two", "four", ""]);
  for (const { file, pieces } of sent) {
    assertEquals(pieces.map(({ length }) => length === 0).indexOf(true), pieces.length - 1);
    const output = file.output.replace(guest.path, host.path);
    await files.take({ ...file, output }, ReadableStream.from(pieces.slice(0, -1)));
  }
  assertEquals([await names(out), await Deno.readTextFile(result)], [
    ["four", "one", "two"],
    "text",
  ]);
  assertEquals(await Deno.readFile(`${out}/one`), long);
});
