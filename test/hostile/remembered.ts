// Inputs that once found a defect. They do not depend on the generators, and so stay the same when
// those change.
import { frameBytes, type FrameKind, jsonFrame } from "../../vm/frames.ts";
import { baseImage } from "../../vm/initramfs.ts";
import { FACTS } from "../support/machine_case.ts";
import { bzImage } from "../support/vm_files.ts";
import { joined } from "./bytes.ts";
import { base, BASES, makeBases } from "./checkpoint_bases.ts";
import { chained, headerOf, withHeader } from "./checkpoint_bytes.ts";
import type { Format, HostileCase } from "./hostile_case.ts";
import type { Json } from "./json.ts";
import { zerosPacked } from "./kernel_files.ts";
import type { Site } from "./site.ts";
import { FORGED } from "./texts.ts";

interface Finding {
  /** The defect that it found. */
  readonly was: string;
  make(site: Site): HostileCase | Promise<HostileCase>;
}

const RESTORE = ["restore", "chain", "--backend", "model"];

// A chain in which the header of each file is changed and all digests are valid.
async function restored(
  site: Site,
  change: (header: { readonly [name: string]: Json }) => { readonly [name: string]: Json },
  status: number,
): Promise<HostileCase> {
  const changed = new Map(
    [...base(site.shared, BASES[0]!)].map(([name, bytes]) =>
      [name, withHeader(bytes, JSON.stringify(change(headerOf(bytes))))] as const
    ),
  );
  const [first] = [...changed.keys()];
  for (const [one, content] of await chained(changed, first!)) site.write(`chain/${one}`, content);
  return { args: RESTORE, status };
}

function strays(site: Site, names: readonly string[]): HostileCase {
  for (const [name, bytes] of base(site.shared, BASES[0]!)) site.write(`chain/${name}`, bytes);
  for (const name of names) site.write(`chain/${name}`, "stray");
  return { args: RESTORE, status: 0 };
}

function believed(kind: FrameKind, value: unknown): Finding {
  return {
    was: `what a machine said was believed: ${kind} ${JSON.stringify(value)}`,
    make: (site) => machine(site, ["dump"], [jsonFrame(kind, value)]),
  };
}

const FINDINGS: readonly Finding[] = [
  {
    was: "gigabytes for a list that no file of this size holds",
    make: (site) =>
      restored(site, (header) => {
        const lab = header["lab"] as { readonly [name: string]: Json }; // as the writer wrote it
        return { ...header, lab: { ...lab, pages: 2 ** 28, passes: 7 } };
      }, 2),
  },
  {
    was: "a header's text reached the terminal as it was",
    make: (site) =>
      restored(site, (header) => ({
        ...header,
        kernel: { backend: "kvm", model: null, release: `\x1b[2J\n${FORGED} ok`, module: "\u202e" },
      }), 0),
  },
  {
    was: "a stray name hid an epoch",
    make: (site) => strays(site, ["epoch-0000002.ckpt", "epoch-000002-full.ckpt"]),
  },
  {
    was: "a name of a folder reached the terminal as it was",
    make: (site) => strays(site, [`epoch-000009.ckpt.part`, `\x1b[2J\n${FORGED}`]),
  },
  {
    was: "a file that is not there was status 3, without the option's name",
    make: () => ({ args: ["fuzz", "--file", "/nowhere"], status: 2 }),
  },
  {
    was: "a byte-order mark was no page number",
    make(site) {
      site.write("pages", "\ufeff1\n2\n");
      return { args: ["dump", "--pattern=file:pages", "--backend=model"], status: 0 };
    },
  },
  {
    was: "a field's name in a program reached the terminal as it was",
    make(site) {
      site.write(
        "program",
        `{"ringBytes":4096,"vcpus":1,"logProgram":0,"\\u001b[2J\\n${FORGED}":1}\n`,
      );
      return { args: ["fuzz", "--file", "program"], status: 2 };
    },
  },
  {
    was: "a compressed module of 200 KB took half a gigabyte",
    async make(site) {
      const packed = await new Response(zerosPacked(200 * 2 ** 20)).bytes();
      site.write("tree/arch/x86/boot/bzImage", bzImage("6.12.1"));
      site.write("tree/modules.order", "");
      site.write("tree/arch/x86/kvm/kvm-amd.ko.gz", packed);
      return { args: ["dump", "--kernel=tree"], status: 2 };
    },
  },
  {
    was: "an option of an underscore was a defect",
    make: () => ({ args: ["stats", "x", "-", "-__proto__"], status: 2 }),
  },
  believed("end", { code: 4294967295 }),
  believed("end", {}),
  believed("file", { output: "kept", below: 5 }),
  believed("hello", { release: 6 }),
  {
    was: "a line of a machine that is no result of a check was a defect",
    make: (site) =>
      machine(site, ["check", "--only=enable.u32"], [
        jsonFrame("hello", FACTS),
        frameBytes("stdout", new TextEncoder().encode("no JSON\n")),
      ]),
  },
];

// A machine that sends some frames and ends.
function machine(
  site: Site,
  command: readonly string[],
  frames: readonly Uint8Array[],
): HostileCase {
  site.write("bzImage", bzImage("6.12.1"));
  site.write("line", joined(frames));
  site.write("console", "");
  site.write("status", "0");
  return { args: [...command, "--kernel=bzImage", "--vm-timeout=5s"], status: 125 };
}

/** Cases that once found a defect. */
export const remembered: Format = {
  name: "remembered",
  share: 1,
  count: FINDINGS.length,
  async prepare(folder) {
    await makeBases(folder);
    await baseImage();
  },
  make: async (_, site, number) => await FINDINGS[number]!.make(site),
};
