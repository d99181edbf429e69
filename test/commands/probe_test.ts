// Who may open /dev/kvm, by name.
import { assertEquals } from "@std/assert";
import { deviceFacts } from "../../commands/probe/probe.ts";
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";

const GROUP = 106;

/** A kernel whose `/dev/kvm` belongs to root and group 106, with files that are given; it must close what it opens. */
function hostWith(files: Readonly<Record<string, string>>) {
  const bytes = new Map(
    Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)]),
  );
  const opened = new Map<number, Uint8Array>();
  let fds = 2;
  const calls: Pick<Kernel, "open" | "read" | "close" | "statx"> = {
    statx(_path, into) {
      const view = new DataView(into.buffer);
      view.setUint32(24, GROUP, true);
      view.setUint16(28, 0o020660, true);
      return 0;
    },
    open(path) {
      const content = bytes.get(path);
      if (content === undefined) return -ERRNO.ENOENT;
      opened.set(++fds, content);
      return fds;
    },
    // In pieces, as a kernel may.
    read(fd, into) {
      const part = opened.get(fd)!.subarray(0, Math.min(into.length, 100_000));
      into.set(part);
      opened.set(fd, opened.get(fd)!.subarray(part.length));
      return part.length;
    },
    close: (fd) => opened.delete(fd) ? 0 : -ERRNO.EBADF,
  };
  // No other call is made to find out whose a file is.
  return { kernel: calls as Kernel, open: () => opened.size };
}

const PASSWD = "root:x:0:0:root:/root:/bin/bash\n";

Deno.test("deviceFacts() finds a group however many groups stand before it", () => {
  const before = Array.from({ length: 20_000 }, (_, n) => `group${n}:x:${1000 + n}:\n`).join("");
  const { kernel, open } = hostWith({ "/etc/passwd": PASSWD, "/etc/group": `${before}kvm:x:106:` });
  assertEquals(deviceFacts(kernel), {
    path: "/dev/kvm",
    mode: "crw-rw----",
    owner: "root",
    group: "kvm",
  });
  assertEquals(open(), 0);
});

Deno.test("deviceFacts() names nobody who has no name, or whose file cannot be read or has no end", () => {
  const groupIn = (files: Readonly<Record<string, string>>) => {
    const { kernel, open } = hostWith(files);
    const group = deviceFacts(kernel)?.group;
    assertEquals(open(), 0);
    return group;
  };
  assertEquals(groupIn({ "/etc/group": "users:x:100:\nx:x:1066:\n" }), "106");
  assertEquals(groupIn({}), "106");
  assertEquals(groupIn({ "/etc/group": "#".repeat(1 << 24) + "\nkvm:x:106:\n" }), "106");
});
