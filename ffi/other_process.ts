// A program of its own: it does one thing with a file that it inherited, and prints the kernel's
// answer. An exit status would not do, as a process that crashed or was killed also has one.
import type { Kernel } from "./kernel.ts";
import { openLibc } from "./libc.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "./linux.ts";
import type { Errand } from "./other_process_errand.ts";

function store(kernel: Kernel, fd: number, page: number, byte: number): number {
  const protection = PROT_READ | PROT_WRITE;
  const address = kernel.mmap(PAGE_SIZE, protection, MAP_SHARED, fd, page * PAGE_SIZE);
  if (address < 0) return address;
  kernel.view(address, PAGE_SIZE)[0] = byte; // unmapped with the process
  return 0;
}

if (import.meta.main) {
  const [fd, text] = Deno.args;
  if (fd === undefined || text === undefined) throw new TypeError("expected FD ERRAND");
  // No validation: both programs are of the same version.
  const errand = JSON.parse(text) as Errand;
  const kernel = openLibc();
  const answer = errand.do === "ioctl"
    ? kernel.ioctl(Number(fd), errand.request, 0)
    : store(kernel, Number(fd), errand.page, errand.byte);
  console.log(`${Math.min(answer, 0)}`);
}
