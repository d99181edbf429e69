// The answers of another process that is asked to do something with a file, and output that is no
// answer.
import { assertEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../../ffi/errors.ts";
import { O_CLOEXEC, O_RDWR } from "../../ffi/linux.ts";
import { askElsewhere, NoAnswerError } from "../../ffi/other_process_errand.ts";
import { memoryFile } from "../../ffi/process.ts";
import { LIBC } from "../support/libc.ts";

/** Sets close-on-exec of any file, and wants no argument: <asm-generic/ioctls.h>. */
const FIOCLEX = 0x5451;
/** No file takes it. */
const NO_REQUEST = 0;

Deno.test("another process answers 0, and errnos, of its calls", () => {
  using file = memoryFile("ring", [new Uint8Array(8192)]);
  const fd = LIBC.open(file.path, O_RDWR | O_CLOEXEC);
  try {
    const answers = [
      LIBC.ioctlElsewhere(fd, FIOCLEX),
      LIBC.ioctlElsewhere(fd, NO_REQUEST),
      LIBC.storeElsewhere(fd, 1, 7),
      LIBC.ioctlElsewhere(9999, FIOCLEX),
    ];
    assertEquals(answers, [0, -ERRNO.ENOTTY, 0, -ERRNO.EBADF]);
    assertEquals(answers.map((answer) => Object.is(answer, -0)), answers.map(() => false));
    assertEquals(Deno.readFileSync(file.path)[4096], 7);
  } finally {
    LIBC.close(fd);
  }
});

const FAILS = new URL("../support/errand_fails.ts", import.meta.url);

for (
  const [byte, how] of [
    [0, "ended with status 5 and gave no answer"],
    [1, "ended with status 1 and gave no answer: error: Uncaught (in promise) TypeError: thrown"],
    [2, "was killed by SIGKILL and gave no answer"],
    [3, "ended with status 0 and gave no answer"],
    [4, "ended with status 1 and gave no answer"],
  ] as const
) {
  Deno.test(`a process that ${how} is told from one that answered`, () => {
    assertThrows(() => askElsewhere(0, { do: "store", page: 0, byte }, FAILS), NoAnswerError, how);
  });
}

Deno.test("a process that never began is told from one that answered", () => {
  const nowhere = new URL("./support/nowhere.ts", import.meta.url);
  const error = assertThrows(
    () => askElsewhere(0, { do: "ioctl", request: FIOCLEX }, nowhere),
    NoAnswerError,
    'asked for {"do":"ioctl","request":21585}, ended with status 1 and gave no answer: error: Module not found',
  );
  assertEquals(error.message.includes("\n"), false);
});
