import { assertEquals } from "@std/assert";
import type { Struct } from "../../ffi/kvm_structs.ts";
import * as perf from "../../ffi/perf.ts";
import { comparedByC } from "../support/c_program.ts";
import { testUnless } from "../support/live.ts";

const STRUCTS = Object.values(perf).filter((one) => typeof one === "object");
const NUMBERS = Object.fromEntries(
  Object.entries(perf).filter(([, one]) => typeof one === "number"),
);

Deno.test("struct layouts are those of <linux/perf_event.h>", () => {
  const { perf_event_attr, perf_event_header, perf_event_mmap_page, perf_raw_sample } = perf;
  assertEquals(perf_event_attr.size, 64); // PERF_ATTR_SIZE_VER0
  const { sample_period, sample_type, read_format, flags, wakeup_events } = perf_event_attr.at;
  assertEquals([sample_period, sample_type, read_format, flags, wakeup_events], [
    ...[16, 24, 32, 40, 48],
  ]);
  const { data_head, data_tail, data_offset, data_size } = perf_event_mmap_page.at;
  assertEquals([data_head, data_tail, data_offset, data_size], [1024, 1032, 1040, 1048]);
  assertEquals([perf_event_header.size, perf_event_header.at.size], [8, 6]);
  assertEquals([perf_raw_sample.size, perf_raw_sample.at.size], [12, 8]);
});

Deno.test("numbers of perf events are right", () => {
  assertEquals(NUMBERS, {
    PERF_TYPE_TRACEPOINT: 2,
    PERF_SAMPLE_RAW: 0x400,
    PERF_ATTR_DISABLED: 1,
    PERF_RECORD_SAMPLE: 9,
    PERF_EVENT_IOC_ENABLE: 0x2400,
    PERF_EVENT_IOC_DISABLE: 0x2401,
    PERF_EVENT_IOC_SET_FILTER: 0x40082406,
  });
});

const COMPILER = await (async () => {
  try {
    const probe = new Deno.Command("cc", {
      args: ["-E", "-x", "c", "-include", "linux/perf_event.h", "/dev/null"],
      stdout: "null",
      stderr: "null",
    });
    return (await probe.output()).success ? null : "cc finds no <linux/perf_event.h>";
  } catch {
    return "no C compiler";
  }
})();

// What is a name of ours, and so none of C's.
const OURS = ["perf_event_attr.flags", "perf_event_mmap_page.reserved", "PERF_ATTR_DISABLED"];
/** Structs that go on behind what is used of them, or that the headers leave to the reader. */
const HEADS = ["perf_event_attr", "perf_event_mmap_page"];

// A C program that prints what the headers say, for everything that the tables name.
function program(): string {
  const known = STRUCTS.filter(({ name }) => name !== "perf_raw_sample");
  const lines = known.flatMap(({ name, at, size }: Struct) => [
    HEADS.includes(name) ? "" : `printf("${name} %zu ${size}\\n", sizeof(struct ${name}));`,
    ...Object.entries(at).filter(([field]) => !OURS.includes(`${name}.${field}`))
      .map(([field, offset]) =>
        `printf("${name}.${field} %zu ${offset}\\n", offsetof(struct ${name}, ${field}));`
      ),
  ]);
  const numbers = Object.entries(NUMBERS).filter(([name]) => !OURS.includes(name))
    .map(([name, value]) => `printf("${name} %lu ${value}\\n", (unsigned long)${name});`);
  return `#include <stddef.h>\n#include <stdio.h>\n#include <string.h>\n` +
    `#include <sys/ioctl.h>\n#include <linux/perf_event.h>\n` +
    `int main(void) {\n${[...lines, ...numbers].join("\n")}\n` +
    `printf("size %d ${perf.perf_event_attr.size}\\n", PERF_ATTR_SIZE_VER0);\n` +
    // The bit field has no offset in C: the bit is looked for where it should be.
    `struct perf_event_attr a; memset(&a, 0, sizeof a); a.disabled = 1;\n` +
    `unsigned long flags; memcpy(&flags, (char *)&a + ${perf.perf_event_attr.at.flags}, 8);\n` +
    `printf("disabled %lu ${perf.PERF_ATTR_DISABLED}\\n", flags);\nreturn 0;\n}\n`;
}

testUnless(COMPILER, "structs and numbers of perf are those that a C compiler sees", async () => {
  const lines = await comparedByC(program());
  assertEquals(lines.length, 39);
});
