// The output of a machine: frames and console of a hostile kernel. The emulator is a small program,
// first on PATH, that prints files from the folder of the kernel's image
// (test/hostile/emulator.ts).
import type { Random } from "../../guest/pattern.ts";
import { frameBytes, type FrameKind } from "../../vm/frames.ts";
import { baseImage } from "../../vm/initramfs.ts";
import { FACTS } from "../support/machine_case.ts";
import { bzImage } from "../support/vm_files.ts";
import { damage, joined, noise } from "./bytes.ts";
import { once, pick, weighted } from "./chance.ts";
import type { Format } from "./hostile_case.ts";
import { changed, hostileJson, type Json } from "./json.ts";
import { fileName } from "./site.ts";
import { FORGED, hostileNumber, hostileText } from "./texts.ts";

type Piece = (random: Random, outputs: readonly string[]) => Uint8Array;
const encoder = new TextEncoder();

const json = (random: Random, kind: FrameKind, value: Json): Uint8Array =>
  frameBytes(
    kind,
    encoder.encode(hostileJson(random, once(random, 2) ? changed(random, value) : value)).slice(
      0,
      1 << 20,
    ),
  );

const CHECK: Json = {
  id: "enable.u32",
  group: "enabling",
  statement: "s",
  source: "x",
  status: "pass",
  detail: "d",
  expected: null,
  seen: null,
  withheld: null,
  defect: false,
  reports: [],
  ms: 1,
};

const PIECES: readonly (readonly [number, Piece])[] = [
  [6, (random) => json(random, "hello", { ...FACTS })],
  [
    6,
    (random) =>
      frameBytes(pick(random, ["stdout", "stderr"]), encoder.encode(`${spoken(random)}\n`)),
  ],
  [2, (random) => frameBytes("stdout", noise(random, random(300)))],
  [
    3,
    (random) =>
      frameBytes("stdout", encoder.encode(`${hostileJson(random, changed(random, CHECK))}\n`)),
  ],
  [4, (random, outputs) => file(random, outputs)],
  [
    2,
    (random) =>
      json(random, "problem", { refused: [{ name: "kvm", errno: 95 }], words: ["x"], error: null }),
  ],
  [
    2,
    (random) =>
      json(random, pick(random, ["signal", "close", "alive", "end"]), { code: random(3) }),
  ],
  [1, (random) => noise(random, random(50))],
  [1, (random) => {
    const head = frameBytes("stdout", new Uint8Array(0));
    new DataView(head.buffer).setUint32(
      2,
      Math.abs(Math.trunc(hostileNumber(random))) % 2 ** 32,
      true,
    );
    return head;
  }],
];

// A line that the machine's command prints. It is passed on unchanged, so that FORGED in it would
// be no forgery.
function spoken(random: Random): string {
  return hostileText(random).replaceAll(FORGED, "said");
}

/** The output of machines. */
export const machines: Format = {
  name: "machine",
  share: 1,
  async prepare() {
    // The part of the initramfs with Deno and the program. Made once, it is in the cache of
    // `--kernel`.
    await baseImage();
  },
  make(random, site) {
    const command = pick(random, [
      ["dump", "--pages=2"],
      ["checkpoint", "--into=kept", "--epochs=1"],
      ["check", "--only=enable.u32"],
      ["check", "--only=enable.u32", "--format=json", "--output=result"],
      ["fuzz", "1"],
      ["live", "--duration=1ms"],
    ]);
    const outputs = [`${site.folder}/kept`, `${site.folder}/result`];
    const pieces = [json(random, "hello", { ...FACTS })].slice(once(random, 5) ? 1 : 0);
    for (let left = random(8); left > 0; left--) {
      pieces.push(weighted(random, PIECES)(random, outputs));
    }
    // Without 70, which is the rightful status for a defect in the machine.
    const code = pick<Json>(random, [0, 1, 2, 3, 4, 256, -1, 1e9, 0.5, "1", null, { code: 1 }]);
    if (!once(random, 4)) pieces.push(json(random, "end", { code }));
    const line = joined(pieces);
    site.write("bzImage", bzImage("6.12.1"));
    site.write("line", once(random, 6) ? damage(random, line) : line);
    const said = Array.from({ length: random(60) }, () => hostileText(random));
    const panic = once(random, 4) ? [`Kernel panic - not syncing: ${hostileText(random)}`] : [];
    site.write("console", [...said, ...panic, `dirtyring: ${hostileText(random)}`].join("\n"));
    site.write("status", `${random(3)}`);
    return Promise.resolve({
      args: [...command, "--kernel=bzImage", "--vm-timeout=5s"],
      writes: ["kept", "result"],
    });
  },
};

function file(random: Random, outputs: readonly string[]): Uint8Array {
  const output = once(random, 4) ? hostileText(random) : pick(random, outputs);
  const below = once(random, 2)
    ? pick(random, ["", "epoch-000000-full.ckpt"])
    : once(random, 2)
    ? fileName(hostileText(random))
    : hostileText(random);
  const bytes = Array.from(
    { length: random(3) },
    () => frameBytes("bytes", noise(random, random(900))),
  );
  return joined([
    json(random, "file", { output, below }),
    ...bytes,
    frameBytes("bytes", new Uint8Array(0)),
  ]);
}
