// Checkpoint files: what is written is read, and nothing that is torn, changed or missing passes for whole.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readChain } from "../../checkpoint/checkpoint_chain.ts";
import {
  BrokenFile,
  checkFile,
  prepareFolder,
  readPages,
  readState,
} from "../../checkpoint/checkpoint_file.ts";
import {
  type CheckpointHeader,
  DigestedPieces,
  digestText,
  parseHeader,
} from "../../checkpoint/checkpoint_header.ts";
import { CheckpointWriter } from "../../checkpoint/checkpoint_writer.ts";
import { KernelError } from "../../ffi/errors.ts";
import { UsageError } from "../../host/errors.ts";
import { forge, madeUp, noise } from "../support/checkpoint_files.ts";
import fc from "../support/fast_check.ts";
import { inFolder } from "../support/folder.ts";

const FULL = "epoch-000000-full.ckpt";
const name = (epoch: number) => epoch === 0 ? FULL : `epoch-00000${epoch}.ckpt`;
const PAGES: readonly (readonly number[])[] = [[], [0, 1, 2, 7], [3, 15], [7]];

// A full checkpoint and three epochs.
async function writeAll(folder: string): Promise<void> {
  const writer = new CheckpointWriter(folder);
  for (const [n, pages] of PAGES.entries()) await writer.write(madeUp(pages, n));
}

// What can be used of a folder, and why the rest cannot.
async function chainOf(folder: string): Promise<[number, string[]]> {
  const { files, skipped } = await readChain(folder);
  return [files.at(-1)!.header.epoch, skipped.map(({ file, reason }) => `${file}: ${reason}`)];
}

Deno.test("DigestedPieces digests piece by piece, and one piece as SHA-256 does", async () => {
  const sha = async (...parts: Uint8Array[]) =>
    new Uint8Array(
      await crypto.subtle.digest("SHA-256", Uint8Array.from(parts.flatMap((p) => [...p]))),
    );
  const bytes = noise(25, 1);
  const handed: number[] = [];
  const pieces = new DigestedPieces((piece) => void handed.push(...piece), 10);
  for (let run = 0; run < 2; run++) {
    await pieces.put(bytes);
    const first = await sha(bytes.subarray(0, 10));
    const second = await sha(first, bytes.subarray(10, 20));
    assertEquals(await pieces.end(), await sha(second, bytes.subarray(20)));
  }
  assertEquals(handed, [...bytes, ...bytes]);
  await pieces.put(bytes.subarray(0, 10));
  assertEquals(await pieces.end(), await sha(bytes.subarray(0, 10)));
  assertEquals(digestText(await pieces.end()).slice(0, 8), "e3b0c442"); // of nothing
});

Deno.test("readChain() reads what CheckpointWriter wrote", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const { files, skipped } = await readChain(folder);
    assertEquals([files.length, skipped], [4, []]);
    const memory = new Uint8Array(16 * 4096);
    for (const [n, file] of files.entries()) {
      const { kind, epoch, previous, pages, slot0Bytes: _bytes, ...header } = file.header;
      const content = madeUp(PAGES[n]!, n);
      assertEquals(header, content.header);
      assertEquals([kind, epoch], [n === 0 ? "full" : "incremental", n]);
      assertEquals([previous, pages], [files[n - 1]?.digest ?? null, PAGES[n]!.length]);
      const { registers, slot0 } = await readState(file);
      assertEquals([registers, slot0], [content.registers, content.slot0]);
      const loaded: number[] = [];
      await readPages(file, memory, (page) => loaded.push(page));
      assertEquals(loaded, PAGES[n]);
      for (const page of loaded) {
        const [from, to] = [page * 4096, (page + 1) * 4096];
        assertEquals(memory.subarray(from, to), content.memory.subarray(from, to));
      }
    }
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assertEquals(names, [0, 1, 2, 3].map(name));
  });
});

Deno.test("a file's digest is the SHA-256 of all before it", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const path = `${folder}/${name(1)}`;
    const { digest } = await checkFile(path);
    await forge(path, () => {});
    assertEquals((await checkFile(path)).digest, digest);
  });
});

Deno.test("checkFile() notices a file that is cut off, at any length", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const bytes = await Deno.readFile(`${folder}/${name(1)}`);
    const lengths = new Set([...Array(40).keys(), bytes.length - 33, bytes.length - 1]);
    for (let length = 40; length < bytes.length; length += 499) lengths.add(length);
    for (const length of lengths) {
      await Deno.writeFile(`${folder}/${name(2)}`, bytes.subarray(0, length));
      const error = await assertRejects(() => checkFile(`${folder}/${name(2)}`), BrokenFile);
      assert(/truncated|cannot be understood/.test(error.message), error.message);
      assertEquals((await chainOf(folder))[0], 1);
    }
    await Deno.writeFile(`${folder}/${name(2)}`, new Uint8Array([...bytes, 0]));
    await assertRejects(() => checkFile(`${folder}/${name(2)}`), BrokenFile, "its header tells of");
  });
});

Deno.test("checkFile() notices a byte that changed, anywhere", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const path = `${folder}/${name(1)}`;
    const bytes = await Deno.readFile(path);
    const { layout } = await checkFile(path);
    const places = [...Array(layout.registers).keys()].filter((at) => at < 16 || at % 7 === 0);
    for (let at = layout.registers; at < bytes.length; at += 397) places.push(at);
    places.push(layout.slot0, layout.numbers, layout.pages, layout.digest, bytes.length - 1);
    for (const at of places) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      await Deno.writeFile(path, changed);
      await assertRejects(() => checkFile(path), BrokenFile, undefined, `byte ${at}`);
    }
    await Deno.writeFile(path, bytes);
    await checkFile(path);
  });
});

Deno.test("checkFile() names a file that cannot be one of its own", async () => {
  await inFolder(async (folder) => {
    const says = async (bytes: Uint8Array | string, message: string) => {
      const path = `${folder}/x`;
      if (typeof bytes === "string") await Deno.writeTextFile(path, bytes);
      else await Deno.writeFile(path, bytes);
      await assertRejects(() => checkFile(path), BrokenFile, message);
    };
    await says("", "truncated: 0 bytes are no header");
    await says("x".repeat(99), "it does not begin with DRTYCKPT");
    await says("DRTYCKPT" + "\x02\0\0\0".repeat(9), "of version 2; this program reads version 1");
    await says("DRTYCKPT" + "\x01\0\0\0\xff\0\0\0", "with a header of");
    await says("DRTYCKPT\x01\0\0\0\x02\0\0\0[]", "its header cannot be understood");
    await says("DRTYCKPT\x01\0\0\0\x02\0\0\0{}", "its header cannot be understood");
    await assertRejects(
      () => checkFile(`${folder}/none`),
      BrokenFile,
      "cannot be read: ENOENT",
    );
  });
});

Deno.test("checkFile() takes no page numbers that are none, whatever the digest", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const path = `${folder}/${name(1)}`;
    await forge(path, (bytes, { numbers }) => bytes[numbers + 12] = 16);
    await assertRejects(() => checkFile(path), BrokenFile, "page 16 of 16");
  });
  await inFolder(async (folder) => {
    await writeAll(folder);
    await forge(`${folder}/${name(1)}`, (bytes, { numbers }) => bytes[numbers + 4] = 0);
    assertEquals(await chainOf(folder), [0, [
      `${name(1)}: corrupted: page 0 of 16 is out of order or does not exist`,
      `${name(2)}: an epoch before it is not whole`,
      `${name(3)}: an epoch before it is not whole`,
    ]]);
  });
});

Deno.test("parseHeader() takes what it wrote and refuses anything else with a SyntaxError", () => {
  const { header } = madeUp([], 0);
  const whole: CheckpointHeader = {
    ...header,
    kind: "full",
    epoch: 0,
    previous: null,
    slot0Bytes: 4096,
    pages: 0,
  };
  assertEquals(parseHeader(JSON.stringify(whole)), whole);
  const wrong = (changes: object, message: string) =>
    assertThrows(() => parseHeader(JSON.stringify({ ...whole, ...changes })), SyntaxError, message);
  wrong({ epoch: -1 }, "the header: epoch is not a whole number from 0");
  wrong({ kind: "half" }, "the header: kind is not full or incremental");
  wrong({ pages: 17 }, "the header: pages is not a whole number from 0 to 16");
  wrong({ vcpus: [] }, "the header: vcpus is not a list of 2");
  wrong({ vcpus: [null, null] }, "the header: vcpus[0] is no object");
  wrong({ lab: { ...whole.lab, vcpus: 2 ** 40 } }, "the header: lab: vcpus is not");
  wrong({ previous: 7 }, "the header: previous is not a text");
  wrong({ kernel: undefined }, "the header: kernel is no object");
  fc.assert(fc.property(fc.json(), (text) => {
    assertThrows(() => parseHeader(text), SyntaxError);
  }));
});

Deno.test("readChain() ends before a file that is missing, of another run, or of another epoch", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    await Deno.remove(`${folder}/${name(2)}`);
    await Deno.writeTextFile(`${folder}/${name(4)}.part`, "x");
    await Deno.writeTextFile(`${folder}/notes.txt`, "not its business");
    assertEquals((await readChain(folder)).others, ["notes.txt"]);
    assertEquals(await chainOf(folder), [1, [
      `${name(2)}: missing`,
      `${name(3)}: an epoch before it is not whole`,
      `${name(4)}.part: it was never finished`,
    ]]);
    await Deno.copyFile(`${folder}/${name(3)}`, `${folder}/${name(2)}`);
    assertEquals((await chainOf(folder))[1][0], `${name(2)}: it is of epoch 3`);
    await inFolder(async (other) => {
      const writer = new CheckpointWriter(other);
      for (let n = 0; n < 3; n++) await writer.write(madeUp([n], 50 + n));
      await Deno.copyFile(`${other}/${name(2)}`, `${folder}/${name(2)}`);
    });
    const [epoch, [reason]] = await chainOf(folder);
    assertEquals([epoch, reason], [
      1,
      `${name(2)}: it does not continue the file before it, but another one`,
    ]);
  });
});

Deno.test("readChain() takes a file by the name that it was written under, and by no other", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const strays = [
      ...[
        "epoch-0000000-full.ckpt",
        "epoch-0000002.ckpt",
        "epoch-000000.ckpt",
        "epoch-000001.ckpt ",
      ],
      ...["epoch-000002-full.ckpt", "epoch-000002.CKPT", "epoch-0000003.ckpt.part", "epoch-2.ckpt"],
      ...["epoch-99999999999999999999.ckpt", "xepoch-000002.ckpt"],
    ].sort();
    for (const stray of strays) await Deno.writeTextFile(`${folder}/${stray}`, "x");
    const { files, skipped, others } = await readChain(folder);
    assertEquals([files.length, skipped, others], [4, [], strays]);
    await Deno.copyFile(`${folder}/${name(2)}`, `${folder}/epoch-1000002.ckpt`); // it would be of epoch 1000002
    assertEquals((await readChain(folder)).skipped.map(({ file }) => file), [
      name(4), // missing
      "epoch-1000002.ckpt",
    ]);
    await Deno.remove(`${folder}/${FULL}`);
    await assertRejects(
      () => readChain(folder),
      UsageError,
      `(${FULL}: missing, beside ${strays.slice(0, 3).join(", ")} and 7 more)`,
    );
  });
});

Deno.test("readChain() waits for no pipe, and says what has a file's name and is none", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const path = `${folder}/${name(2)}`;
    const elsewhere = `${folder}/elsewhere`;
    await Deno.rename(path, elsewhere);
    const says = async (reason: string, put: () => Promise<unknown>) => {
      await put();
      const [epoch, [first]] = await chainOf(folder);
      assertEquals([epoch, first], [1, `${name(2)}: ${reason}`]);
      await Deno.remove(path);
    };
    const fifo = (at: string) => new Deno.Command("mkfifo", { args: [at] }).output();
    await says("is a folder, and no file", () => Deno.mkdir(path));
    await says("is a pipe, and no file", () => fifo(path));
    await fifo(`${folder}/pipe`);
    await says("is a pipe, and no file", () => Deno.symlink(`${folder}/pipe`, path));
    await says("is a device, and no file", () => Deno.symlink("/dev/zero", path));
    const nowhere = "cannot be read: ENOENT (no such file or directory)";
    await says(nowhere, () => Deno.symlink(`${folder}/nowhere`, path));
    const loop = "cannot be read: ELOOP (too many symbolic links)";
    await says(loop, () => Deno.symlink(path, path));
    await Deno.symlink(elsewhere, path);
    assertEquals(await chainOf(folder), [3, []]); // a link to a file is as good as the file
  });
});

Deno.test("readChain() takes no file for broken that there was no descriptor for", async () => {
  await inFolder(async (folder) => {
    await writeAll(folder);
    const { open } = Deno;
    try {
      Deno.open = (path, options) =>
        `${path}`.endsWith(name(2))
          ? Promise.reject(new Error("Too many open files (os error 24): open 'x'"))
          : open(path, options);
      await assertRejects(
        () => readChain(folder),
        KernelError,
        `open(${folder}/${name(2)}): EMFILE (too many open files)`,
      );
    } finally {
      Deno.open = open;
    }
  });
});

Deno.test("readChain() refuses a folder without a whole full checkpoint", async () => {
  await inFolder(async (folder) => {
    const refuses = (message: string) =>
      assertRejects(() => readChain(folder), UsageError, `restore ${folder}: ${message}`);
    await refuses(`no whole checkpoint in it (${FULL}: missing); expected a folder that`);
    await writeAll(folder);
    await Deno.truncate(`${folder}/${FULL}`, 100);
    await refuses(`no whole checkpoint in it (${FULL}: truncated`);
    await Deno.remove(`${folder}/${FULL}`);
    await refuses(`no whole checkpoint in it (${FULL}: missing)`);
    await Deno.copyFile(`${folder}/${name(1)}`, `${folder}/${FULL}`);
    await refuses(`no whole checkpoint in it (${FULL}: it is of epoch 1)`);
    const none = `${folder}/none`;
    await assertRejects(() => readChain(none), UsageError, "none: ENOENT");
  });
});

Deno.test("CheckpointWriter leaves what is whole when a file cannot be written, and nothing else", async () => {
  await inFolder(async (folder) => {
    const writer = new CheckpointWriter(folder);
    await writer.write(madeUp([], 0));
    await writer.write(madeUp([1], 1));
    await Deno.mkdir(`${folder}/${name(2)}`); // what it writes cannot take this name
    const error = await assertRejects(() => writer.write(madeUp([2], 2)), KernelError);
    assertEquals(
      error.message,
      `rename(${folder}/${
        name(2)
      }.part): EISDIR (is a directory); epoch 1 is the last whole one, ` +
        `dirtyring restore ${folder} goes on from there`,
    );
    assertEquals(writer.written, { ...writer.written, files: 2, lastEpoch: 1 });
    await Deno.remove(`${folder}/${name(2)}`);
    assertEquals(await chainOf(folder), [1, []]);
  });
  const writer = new CheckpointWriter("/nowhere");
  await assertRejects(
    () => writer.write(madeUp([], 0)),
    KernelError,
    `open(/nowhere/${FULL}.part): ENOENT (no such file or directory); there is no whole checkpoint`,
  );
});

Deno.test("prepareFolder() makes a folder, takes an empty one, and nothing else", async () => {
  await inFolder(async (folder) => {
    await prepareFolder(`${folder}/new`);
    await prepareFolder(`${folder}/new`);
    await Deno.writeTextFile(`${folder}/new/file`, "");
    const refuses = (path: string, message: string) =>
      assertRejects(() => prepareFolder(path), UsageError, message);
    await refuses(`${folder}/new`, "holds file already; expected a new or an empty folder");
    await refuses(`${folder}/new/file`, "new/file: ENOTDIR (not a directory); expected a folder");
    await refuses(`${folder}/a/b`, "a/b: ENOENT (no such file or directory)");
  });
});
