import { assertEquals } from "@std/assert";
import { InlineDriver, runOnce } from "../../drive/inline_driver.ts";
import { ERRNO } from "../../ffi/errors.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED } from "../../ffi/linux.ts";
import { Mapping } from "../../kvm/mapping.ts";
import { System } from "../../kvm/system.ts";
import { TouchedPages } from "../../machine/touched_pages.ts";
import { openModel } from "../../model/model_kernel.ts";
import { makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { testUnless } from "../support/live.ts";

const NO_LIBC = Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? null : "no libc here";
const PAGES = 8192;
const model = () => openModel({ version: "latest", pml: false, emulator: false });

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

Deno.test("TouchedPages tells the pages of a model that its guest touched", async () => {
  using lab = makeLab({ memory: PAGES * 4096, text: "stride:64", pages: 16 }, model());
  await runOnce(lab, new InlineDriver());
  using pages = new TouchedPages(lab.vm.kernel, lab.memoryAddress);
  const found = [...pages.among(0, 4096), ...pages.among(4096, PAGES)];
  assertEquals(found, Array.from({ length: 16 }, (_, n) => n * 64));
  assertEquals(found.filter((page) => lab.memory[page * 1024] !== 0), found);
});

Deno.test("the page map of a model has nothing of what is not mapped, and all of what may be touched unseen", () => {
  const kernel = model();
  const address = kernel.mmap(2 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  using pages = new TouchedPages(kernel, address);
  assertEquals([...pages.among(0, 3)], []);
  using system = System.open(kernel);
  using vm = system.createVm();
  using vcpu = vm.createVcpu(0, system.vcpuMmapSize());
  const run = kernel.mmap(4096, 3, MAP_SHARED, vcpu.fd, 0);
  using shared = new TouchedPages(kernel, run);
  assertEquals([...shared.among(0, 2)], [0]);
  const fd = kernel.open("/proc/self/pagemap", 0);
  assertEquals([kernel.pread(fd, new Uint8Array(8), 4), kernel.pread(fd, new Uint8Array(7), 0)], [
    -ERRNO.EINVAL,
    -ERRNO.EINVAL,
  ]);
});

testUnless(
  NO_LIBC,
  "TouchedPages takes every page for touched where the map tells less than asked",
  () => {
    using pages = new TouchedPages({ ...LIBC, pread: () => 8 }, 0);
    assertEquals([...pages.among(3, 6)], [3, 4, 5]);
  },
);
