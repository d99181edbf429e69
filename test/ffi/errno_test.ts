// Compares the table of error numbers with the system's own lists.
import { assert, assertEquals } from "@std/assert";
import { constants } from "node:os";
import { ERRNO, errnoName, errnoText } from "../../ffi/errors.ts";
import { testUnless } from "../support/live.ts";

/** Second names, which the table leaves out: a number has one. */
const SECOND: Readonly<Record<string, string>> = {
  EWOULDBLOCK: "EAGAIN",
  ENOTSUP: "EOPNOTSUPP",
  EDEADLOCK: "EDEADLK",
};

function assertListed(listed: readonly (readonly [string, number])[]): void {
  for (const [name, number] of listed) assertEquals(errnoName(number), SECOND[name] ?? name);
}

Deno.test("errnoName() names each error number that node:os lists", () => {
  const listed = Object.entries(constants.errno);
  assert(listed.length > 70);
  assertListed(listed);
});

Deno.test("errnoText() means something by each error number, and each has one name", () => {
  const numbers = Object.values(ERRNO);
  assertEquals(new Set(numbers).size, numbers.length);
  const texts = numbers.map((number) => errnoText(number));
  assertEquals(new Set(texts.map((text) => text.slice(text.indexOf("(")))).size, texts.length);
  for (const text of texts) assert(/^E[A-Z0-9]+ \(.+\)$/.test(text), text);
  assertEquals(errnoText(30), "EROFS (read-only file system)");
});

// `#define E...` of the C library's own header; null where there is no compiler.
async function listedByHeader(): Promise<string | null> {
  try {
    const args = ["-E", "-dM", "-x", "c", "-include", "errno.h", "/dev/null"];
    const { success, stdout } = await new Deno.Command("cc", { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}

const HEADER = await listedByHeader();

testUnless(
  HEADER === null ? "no C compiler" : null,
  "ERRNO has the error numbers of <errno.h>, and no others",
  () => {
    const lines = [...HEADER!.matchAll(/^#define (E[A-Z0-9]+) (\d+)$/gm)];
    const listed = lines.map(([, name, number]) => [name!, Number(number)] as const);
    assertListed(listed);
    assertEquals(new Set(listed.map(([, number]) => number)), new Set(Object.values(ERRNO)));
  },
);
