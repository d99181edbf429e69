// The archive with a machine's files, read as init/initramfs.c does, and with the program cpio.
import { assertEquals, assertThrows } from "@std/assert";
import { type ArchiveFile, cpio } from "../../vm/cpio.ts";
import { cpioEntries } from "../support/cpio_reader.ts";
import fc from "../support/fast_check.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";

const bytesOf = (...codes: number[]) => new Uint8Array(codes);

function archive(files: readonly ArchiveFile[], folders: readonly string[] = []): Uint8Array {
  const pieces = [...cpio(files, folders)];
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const LONG = `/${"n".repeat(255)}/${"m".repeat(250)}`;
const FILES: readonly ArchiveFile[] = [
  { path: "/bin/deno", content: bytesOf(1, 2, 3), isProgram: true },
  { path: "/bin/empty", content: bytesOf() },
  { path: "/lib/x86_64/libc.so.6", content: { link: "/lib/x86_64/libc-2.36.so" } },
  { path: "/request/files/a name\nof two lines, ü", content: bytesOf(4, 5, 6, 7, 8) },
  { path: LONG, content: bytesOf(9) },
];

Deno.test("an archive holds files, links and folders, each after the folder that it is in", () => {
  const entries = cpioEntries(archive(FILES, ["/proc", "/a/b"]));
  const long = LONG.slice(1).split("/");
  assertEquals(entries.map(({ name, mode, body }) => [name, mode.toString(8), [...body]]), [
    ["proc", "40755", []],
    ["a", "40755", []],
    ["a/b", "40755", []],
    ["bin", "40755", []],
    ["bin/deno", "100755", [1, 2, 3]],
    ["bin/empty", "100644", []],
    ["lib", "40755", []],
    ["lib/x86_64", "40755", []],
    ["lib/x86_64/libc.so.6", "120777", [...new TextEncoder().encode("/lib/x86_64/libc-2.36.so")]],
    ["request", "40755", []],
    ["request/files", "40755", []],
    ["request/files/a name\nof two lines, ü", "100644", [4, 5, 6, 7, 8]],
    [long[0]!, "40755", []],
    [long.join("/"), "100644", [9]],
  ]);
});

Deno.test("names and sizes of any length keep entries aligned, and archives behind each other", () => {
  const name = fc.array(fc.constantFrom(..."abcdefgü".split("")), { minLength: 1, maxLength: 40 });
  const file = fc.record({
    path: name.map((letters) => `/${letters.join("")}`),
    content: fc.uint8Array({ maxLength: 70 }).map((bytes) => new Uint8Array(bytes)),
  });
  fc.assert(fc.property(fc.array(file, { maxLength: 6 }), (files) => {
    const bytes = archive(files);
    assertEquals(bytes.length % 512, 0);
    const found = cpioEntries(bytes).map(({ name, body }) => [name, [...body]]);
    assertEquals(found, files.map(({ path, content }) => [path.slice(1), [...content]]));
  }));
});

Deno.test("the reader of these tests finds what is wrong with an archive", () => {
  const bytes = archive(FILES);
  const changed = (change: (copy: Uint8Array) => Uint8Array | void) => {
    const copy = bytes.slice();
    return change(copy) ?? copy;
  };
  const wrong = (copy: Uint8Array, message: string) =>
    assertThrows(() => cpioEntries(copy), Error, message);
  wrong(changed((copy) => void (copy[0] = 0)), "no entry at 0");
  wrong(changed((copy) => copy.subarray(1)), "no entry at 0");
  wrong(changed((copy) => void (copy[6 + 8 * 6 + 7] = 0x31)), "no entry at 120"); // a size of 1
  wrong(changed((copy) => void (copy[6 + 8 * 11 + 7] = 0x33)), "has no end");
  wrong(changed((copy) => void (copy[copy.length - 1] = 1)), "more after the trailer");
});

Deno.test("a file that the format has no room for is refused", () => {
  const huge = { length: 2 ** 32 } as Uint8Array; // as long as it claims, nothing of it is read
  assertThrows(() => [...cpio([{ path: "/x", content: huge }])], RangeError, "4294967296 bytes");
});

const NO_CPIO = await new Deno.Command("cpio", { args: ["--version"], stdout: "null" }).output()
  .then(() => null, () => "no cpio on PATH");

testUnless(NO_CPIO, "cpio unpacks it", async () => {
  await using folder = await Folder.make();
  const run = async (args: readonly string[]) => {
    const child = new Deno.Command("cpio", {
      args: [...args, "--quiet", "--no-preserve-owner"],
      cwd: folder.path,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(archive(FILES, ["/proc"]));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    return new TextDecoder().decode(stdout);
  };
  const names = cpioEntries(archive(FILES, ["/proc"])).map(({ name }) => name);
  assertEquals((await run(["-it", "-0"])).split("\0"), [...names, ""]);
  await run(["-id"]);
  for (const { path, content, isProgram } of FILES) {
    const at = folder.path + path;
    if ("link" in content) assertEquals(await Deno.readLink(at), content.link);
    else {
      assertEquals([...await Deno.readFile(at)], [...content]);
      assertEquals((await Deno.stat(at)).mode! & 0o777, isProgram ? 0o755 : 0o644);
    }
  }
  assertEquals((await Deno.stat(`${folder.path}/proc`)).isDirectory, true);
});
