// Debian's kernels are fetched completely or not at all, and a failure is reported in one line. No
// network is needed: the host's programs are fakes.
import { assert, assertEquals } from "@std/assert";
import { Folder } from "../support/folder.ts";
import "../support/libc.ts"; // reads PATH
import { debName, type Fetched, fetchKernel, newestKernel } from "./debian_kernel.ts";
import { fetchAll, fetchedText } from "./fetch_all.ts";
import { type PackageHost, type Ran, reasonOf, THIS_HOST } from "./package_host.ts";
import { installPrograms } from "./programs.ts";

const LISTING = `linux-image-6.1.0-9-amd64-unsigned - Linux 6.1 for 64-bit PCs
linux-image-6.1.0-56-amd64-dbg - Debug symbols for linux-image-6.1.0-56-amd64
linux-image-6.1.0-56-amd64-unsigned - Linux 6.1 for 64-bit PCs
linux-image-6.1.0-57-cloud-amd64-unsigned - Linux 6.1 for x86-64 cloud
linux-image-6.1.0-58-rt-amd64-unsigned - Linux 6.1 for 64-bit PCs, PREEMPT_RT
linux-image-6.1.0-59-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-47-amd64-unsigned - Linux 6.1 for 64-bit PCs
linux-image-6.12-amd64 - Linux for 64-bit PCs (meta-package)
linux-image-6.12.117+deb12-amd64-unsigned - Linux 6.12 for 64-bit PCs
linux-image-6.12.99+deb12-amd64-unsigned - Linux 6.12 for 64-bit PCs
`;
const FINE: Ran = { code: 0, stdout: "", stderr: "" };
const failing = (stderr: string): Ran => ({ code: 100, stdout: "", stderr });

/** A Debian host, with a mirror of one series. */
class FakeHost implements PackageHost {
  isRoot = true;
  programs = ["apt-get", "qemu-system-x86_64", "xz"];
  /** What apt-get knows; an update brings `mirror`. */
  listing = LISTING;
  mirror = LISTING;
  version = "1";
  /** How often a command, by what it contains, fails, and what it says then. */
  failures: { of: string; times: number; says: string }[] = [];
  readonly commands: string[] = [];

  has(program: string): Promise<boolean> {
    return Promise.resolve(this.programs.includes(program));
  }

  async run(command: readonly string[], folder = "/nowhere"): Promise<Ran> {
    const words = command.filter((word) => word !== "-o" && !word.startsWith("Acquire::"));
    const text = words.join(" ");
    this.commands.push(text);
    const failure = this.failures.find(({ of, times }) => text.includes(of) && times > 0);
    if (failure !== undefined) {
      failure.times--;
      return failing(failure.says);
    }
    const name = words.at(-1)!;
    const deb = `${name}_${this.version}_amd64.deb`;
    switch (words.slice(0, 2).join(" ")) {
      case "apt-cache search":
        return { ...FINE, stdout: this.listing };
      case "apt-get update":
        this.listing = this.mirror;
        return FINE;
      case "apt-get install":
        this.programs.push(name === "xz-utils" ? "xz" : "qemu-system-x86_64");
        return FINE;
      case "apt-get download":
        if (words.includes("--print-uris")) {
          return { ...FINE, stdout: `'http://mirror/${deb}' ${deb} 70560688 SHA256:53063\n` };
        }
        await Deno.writeTextFile(`${folder}/${deb}`, "");
        return FINE;
      case "dpkg-deb -x":
        await Deno.mkdir(`${folder}/boot`);
        await Deno.writeTextFile(`${folder}/boot/vmlinuz-6.1.0-56-amd64`, `${this.version}`);
        return FINE;
      default:
        throw new Error(`what is ${text}?`);
    }
  }
}

const NAME = "linux-image-6.1.0-56-amd64-unsigned";
const deb = (version: string) => `${NAME}_${version}_amd64.deb`;

async function withCache(test: (cache: string, host: FakeHost) => Promise<void>): Promise<void> {
  await using made = await Folder.make();
  const folder = made.path;
  await test(`${folder}/kernels`, new FakeHost());
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

const image = (cache: string) => Deno.readTextFile(`${cache}/6.1/boot/vmlinuz-6.1.0-56-amd64`);

Deno.test("the newest kernel of a series is neither rt nor cloud, signed, or of another series", () => {
  assertEquals(newestKernel(LISTING, "6.1"), NAME);
  assertEquals(newestKernel(LISTING, "6.12"), "linux-image-6.12.117+deb12-amd64-unsigned");
  assertEquals(newestKernel(LISTING, "6.18"), null);
  assertEquals(newestKernel("", "6.1"), null);
});

Deno.test("a package's file name is what apt-get would call it", () => {
  const name = "linux-image-6.12.117+deb12-amd64-unsigned_6.12.117-1~deb12u1_amd64.deb";
  assertEquals(debName(`'http://a/b%2bc.deb' ${name} 107177456 SHA256:5de3\n`), name);
  assertEquals(debName("E: Unable to locate package\n"), null);
});

Deno.test("a program's reason is apt's last error, or its last line", () => {
  assertEquals(
    reasonOf(failing("W: one\nE: no route\nE: cannot fetch\nW: two\n")),
    "E: cannot fetch",
  );
  assertEquals(reasonOf(failing("dpkg-deb: error: disk full\n\n")), "dpkg-deb: error: disk full");
  assertEquals(reasonOf(failing("")), "status 100");
});

Deno.test("a kernel is fetched once, and again when there is a newer one", async () => {
  await withCache(async (cache, host) => {
    const fetched: Fetched = { folder: `${cache}/6.1`, deb: deb("1"), note: null };
    assertEquals(await fetchKernel("6.1", cache, host), fetched);
    assertEquals(await image(cache), "1");
    assertEquals(await namesIn(`${cache}/6.1`), ["boot", "package.txt"]);
    const first = host.commands.length;
    assertEquals(await fetchKernel("6.1", cache, host), fetched);
    assertEquals(host.commands.slice(first), [
      "apt-cache search --names-only ^linux-image-6\\.1\\.",
      `apt-get download --print-uris ${NAME}`,
    ]);
    host.version = "2";
    assertEquals(await fetchKernel("6.1", cache, host), { ...fetched, deb: deb("2") });
    assertEquals(await image(cache), "2");
    assertEquals(await namesIn(cache), ["6.1", "lock"]);
  });
});

Deno.test("a kernel that cannot be unpacked is not there, and the one before is kept", async () => {
  await withCache(async (cache, host) => {
    const says = "dpkg-deb: error: No space left on device";
    const failure = { of: "dpkg-deb", times: 2, says };
    host.failures = [{ ...failure }];
    const missing = `dpkg-deb of ${NAME}: ${says}`;
    assertEquals(await fetchKernel("6.1", cache, host), { missing });
    assertEquals(await namesIn(cache), ["lock"]);
    // The leftovers of a killed process.
    await Deno.mkdir(`${cache}/6.1.part/boot`, { recursive: true });
    await fetchKernel("6.1", cache, host);
    host.version = "2";
    host.failures = [{ ...failure }];
    const kept: Fetched = { folder: `${cache}/6.1`, deb: deb("1"), note: missing };
    assertEquals(await fetchKernel("6.1", cache, host), kept);
    assertEquals([await image(cache), await namesIn(cache)], ["1", ["6.1", "lock"]]);
  });
});

Deno.test("lists of packages that are old, or missing, are brought up to date by root", async () => {
  await withCache(async (cache, host) => {
    host.listing = "";
    assert("folder" in await fetchKernel("6.1", cache, host));
    assertEquals(host.commands.filter((one) => one === "apt-get update").length, 1);
    host.version = "2";
    host.failures = [{ of: `download ${NAME}`, times: 1, says: "E: 404  Not Found" }];
    assert("folder" in await fetchKernel("6.1", cache, host));
    assertEquals(await image(cache), "2");
    assertEquals(host.commands.filter((one) => one === "apt-get update").length, 2);
  });
  await withCache(async (cache, host) => {
    host.listing = "";
    host.isRoot = false;
    const missing = "apt knows no package linux-image-6.1.*-amd64-unsigned";
    assertEquals(await fetchKernel("6.1", cache, host), { missing });
    assertEquals(host.commands.filter((one) => one === "apt-get update").length, 0);
    host.isRoot = true;
    host.failures = [{ of: "update", times: 1, says: "W: Could not resolve 'mirror'" }];
    assertEquals(await fetchKernel("6.1", cache, host), {
      missing: `${missing} (W: Could not resolve 'mirror')`,
    });
  });
});

Deno.test("without apt-get a kernel that was fetched before is used, or none", async () => {
  await withCache(async (cache, host) => {
    const why = "no apt-get, which fetches Debian's kernels";
    host.programs = [];
    assertEquals(await fetchKernel("6.1", cache, host), { missing: why });
    host.programs = ["apt-get"];
    await fetchKernel("6.1", cache, host);
    host.programs = [];
    const kept = { folder: `${cache}/6.1`, deb: deb("1"), note: why };
    assertEquals(await fetchKernel("6.1", cache, host), kept);
  });
});

Deno.test("a folder that cannot be made is a reason", async () => {
  await withCache(async (cache, host) => {
    await Deno.writeTextFile(cache, "");
    const fetched = await fetchKernel("6.1", cache, host);
    assertEquals(fetched, { missing: `${cache}: EEXIST (exists already)` });
    assertEquals(host.commands, []);
  });
});

Deno.test("QEMU and xz are installed where they are missing and root may", async () => {
  const host = new FakeHost();
  assertEquals([await installPrograms(host), host.commands], [null, []]);
  host.programs = ["apt-get", "/usr/libexec/qemu-kvm"];
  host.failures = [{ of: "install", times: 1, says: "E: Unable to locate package xz-utils" }];
  assertEquals(await installPrograms(host), null);
  const install = "apt-get install -y --no-install-recommends xz-utils";
  assertEquals(host.commands, [install, "apt-get update", install]);
});

Deno.test("a program that cannot be installed is said in a line", async () => {
  const host = new FakeHost();
  const none = "no qemu-system-x86_64 here, and";
  host.programs = ["xz"];
  assertEquals(await installPrograms(host), `${none} no apt-get to install it`);
  host.programs = ["xz", "apt-get"];
  host.isRoot = false;
  assertEquals(
    await installPrograms(host),
    `${none} only root may apt-get install qemu-system-x86`,
  );
  host.isRoot = true;
  host.failures = [{ of: "install", times: 2, says: "E: no network\n" }];
  const why = `${none} apt-get install qemu-system-x86: E: no network`;
  assertEquals(await installPrograms(host), why);
  const skipped = await fetchAll(["6.12", "6.1"], "/nowhere", { ...NOTHING, has: () => NO });
  assertEquals([...fetchedText(skipped)], [
    `Linux 6.12 and 6.1 cannot be asked: ${none} no apt-get to install it`,
  ]);
});

const NO = Promise.resolve(false);
const NOTHING: PackageHost = {
  isRoot: true,
  has: () => Promise.resolve(true),
  run: () => Promise.resolve(failing("E: no network")),
};

Deno.test("what is fetched, kept or missing has a line each", async () => {
  const [only] = await fetchAll(["6.1"], null, NOTHING);
  const folder = "/cache/6.1";
  assertEquals([
    ...fetchedText([
      { series: "6.1", kernel: { folder, deb: "a.deb", note: null } },
      { series: "6.12", kernel: { folder, deb: "b.deb", note: "no apt-get" } },
      { ...only!, series: "6.18" },
    ]),
  ], [
    "Linux 6.1: a.deb",
    "Linux 6.12: b.deb, kept from before: no apt-get",
    "Linux 6.18 cannot be asked: neither XDG_CACHE_HOME nor HOME says where a kernel can be kept",
  ]);
});

Deno.test("a program of this host is run in a folder, and its status and words are told", async () => {
  assertEquals([await THIS_HOST.has("sh"), await THIS_HOST.has("no-such-program")], [true, false]);
  const ran = await THIS_HOST.run(["sh", "-c", "pwd; echo $LC_ALL >&2; exit 3"], "/");
  assertEquals(ran, { code: 3, stdout: "/\n", stderr: "C\n" });
});
