import { assertEquals } from "@std/assert";
import { Mapping } from "../../kvm/mapping.ts";
import { TouchedPages } from "../../machine/touched_pages.ts";
import { openModel } from "../../model/model_kernel.ts";
import { LIBC } from "../support/libc.ts";
import { testUnless } from "../support/live.ts";

const NO_LIBC = Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? null : "no libc here";
const PAGES = 8192;

testUnless(NO_LIBC, "TouchedPages tells the pages that were touched, and few others", () => {
  using memory = Mapping.anonymous(LIBC, PAGES * 4096, "memory");
  const touched = [0, 700, 5000, 8191];
  for (const page of touched) memory.words[page * 1024] = 1;
  using pages = new TouchedPages(LIBC, memory.address);
  const found = [...pages.among(0, 4096), ...pages.among(4096, PAGES)];
  assertEquals(found.filter((page) => memory.words[page * 1024] !== 0), touched);
  // A kernel with huge pages touches up to 512 with each.
  assertEquals(found.length <= touched.length * 512, true);
});

Deno.test("TouchedPages takes every page of a model for touched", () => {
  using pages = new TouchedPages(openModel({ version: "latest", pml: false, emulator: false }), 0);
  assertEquals([...pages.among(3, 6)], [3, 4, 5]);
});

testUnless(
  NO_LIBC,
  "TouchedPages takes every page for touched where the map tells less than asked",
  () => {
    using pages = new TouchedPages({ ...LIBC, pread: () => 8 }, 0);
    assertEquals([...pages.among(3, 6)], [3, 4, 5]);
  },
);
