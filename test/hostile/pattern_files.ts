// Pattern files with page numbers, and with other text in their place.
import type { Random } from "../../guest/pattern.ts";
import { damage, noise } from "./bytes.ts";
import { once, pick, weighted } from "./chance.ts";
import type { Format } from "./hostile_case.ts";
import { fileName, type Site } from "./site.ts";
import { hostileNumber, hostileText } from "./texts.ts";

const PAGES = 64;
const encoder = new TextEncoder();

type Content = (random: Random) => Uint8Array | string;

const CONTENTS: readonly (readonly [number, Content])[] = [
  [10, (random) => damage(random, encoder.encode(lines(random, 1 + random(50)).join("\n")))],
  [10, (random) => withLine(random, hostileText(random))],
  [6, (random) => withLine(random, `${hostileNumber(random)}`)],
  [2, (random) => `\ufeff${lines(random, 3).join("\n")}\n`],
  [2, (random) => lines(random, 9).join(pick(random, ["\r\n", "\r", "\u2028", ",", "\0", "\v"]))],
  [2, (random) => noise(random, random(3000))],
  [1, (random) => pick(random, ["", "\n\n\n", " \t\r\n", "\0", "0x", "0x\n"])],
  [1, (random) => "1".repeat(pick(random, [400, 1 << 20])) + hostileText(random)],
  [1, (random) => `0x${"f".repeat(pick(random, [300, 1 << 20]))}\n`],
  [1, (random) => new Uint8Array(utf16(lines(random, 5).join("\n")))],
  [1, (random) => `${lines(random, 200_000).join("\n")}\n`],
];

/** Files for `--pattern file:`. */
export const patternFiles: Format = {
  name: "pattern",
  share: 30,
  make(random, site) {
    const path = place(random, site);
    const command = pick(random, ["dump", "stats", "reset", "run"]);
    const size = ["--memory", `${PAGES * 4}KiB`, "--ring", "1024", "--pages", `${1 + random(80)}`];
    const whole = once(random, 5) ? size.slice(0, 4) : size;
    const format = once(random, 3) ? ["--format", "json"] : [];
    return Promise.resolve({
      args: [command, `--pattern=file:${path}`, "--backend", "model", ...whole, ...format],
    });
  },
};

function place(random: Random, site: Site): string {
  const name = once(random, 10) ? fileName(hostileText(random)) : "pages";
  switch (random(80)) {
    case 0:
      return pick(random, [".", "/dev/null", "/dev/full", "/proc/self/maps", "nowhere", "\x1b[2J"]);
    case 1:
      site.link(pick(random, [".", "nowhere", name, "/dev/null"]), name);
      return name;
    default:
      site.write(name, weighted(random, CONTENTS)(random));
      return name;
  }
}

function lines(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => {
    const page = random(PAGES);
    return once(random, 5) ? `0x${page.toString(16)}` : `${page}`;
  });
}

function withLine(random: Random, line: string): string {
  const all = lines(random, 1 + random(20));
  all.splice(random(all.length + 1), 0, line);
  return `${all.join("\n")}\n`;
}

function utf16(text: string): ArrayBuffer {
  return Uint16Array.from(`\ufeff${text}`, (letter) => letter.charCodeAt(0)).buffer;
}
