// Facts of the kernel under test, and how its files are read.
import { checked, ERRNO, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import { printable } from "../text/printable.ts";

/** Which kernel answered. Every result has these facts. */
export interface KernelFacts {
  /** `"kvm"` for a real `/dev/kvm`, `"model"` for one in memory. */
  readonly backend: "kvm" | "model";
  /** The model's version and traits, such as `"v6.17+pml"`; `null` for a real kernel. */
  readonly model: string | null;
  /** The kernel's release, as `uname -r` prints it. A model has a release of its version. */
  readonly release: string;
  /** The KVM module that answers; `null` if none is known to be loaded, and for the model. */
  readonly module: string | null;
  /**
   * The largest ring in bytes, as reported for `KVM_CAP_DIRTY_LOG_RING`; `null` if KVM is unusable.
   */
  readonly ringMaxBytes: number | null;
}

/** The fields with which every result begins. */
export interface Result {
  /** The name and version of its schema, such as `"dirtyring.dump/1"`. */
  readonly schema: string;
  /** Which kernel answered. */
  readonly kernel: KernelFacts;
}

// kvm_pvm is first, since it may have replaced a built-in kvm_intel or kvm_amd, which stays
// visible.
const MODULES = ["kvm_pvm", "kvm_intel", "kvm_amd"] as const;

/**
 * The kernel's release.
 *
 * @returns What `uname -r` prints, or `"unknown"`.
 */
export function kernelRelease(kernel: Kernel): string {
  return readLine(kernel, "/proc/sys/kernel/osrelease") ?? "unknown";
}

/**
 * The kernel's version, in the form of a git tag. For the model `latest` it is the version that it
 * models.
 *
 * @returns `"v6.18"`, or `"unknown"`.
 */
export function kernelVersion(kernel: Kernel): string {
  const release = kernelRelease(kernel);
  const version = /^\d+\.\d+/.exec(release);
  return version === null ? release : `v${version[0]}`;
}

/**
 * The KVM module that drives this processor.
 *
 * @returns Its name; `null` if none is loaded, and for the model.
 */
export function kvmModule(kernel: Kernel): string | null {
  if (kernel.backend === "model") return null;
  const found = MODULES.filter((name) => isLoaded(kernel, name));
  const [first] = found;
  if (first === undefined || found.length === 1 || first === "kvm_pvm") return first ?? null;
  // Both are built in: the processor's vendor decides.
  const isAmd = (readLine(kernel, "/proc/cpuinfo") ?? "").includes("AuthenticAMD");
  return isAmd ? "kvm_amd" : "kvm_intel";
}

function isLoaded(kernel: Kernel, module: string): boolean {
  const fd = kernel.open(`/sys/module/${module}`, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  kernel.close(fd);
  return true;
}

/**
 * Whether the module or the model uses page-modification logging (PML).
 *
 * @param module The KVM module, or `null` if none is known.
 * @returns The module's `pml` parameter, or `null` if it has none.
 */
export function pageModificationLogging(kernel: Kernel, module: string | null): boolean | null {
  if (kernel.insight !== null) return kernel.insight.pml;
  if (module === null) return null;
  const value = readLine(kernel, `/sys/module/${module}/parameters/pml`);
  return value === null ? null : value === "Y" || value === "1";
}

/**
 * Which kernel answers.
 *
 * @param ringMaxBytes The largest ring in bytes, as reported for `KVM_CAP_DIRTY_LOG_RING`.
 * @returns The facts for a result.
 */
export function kernelFacts(kernel: Kernel, ringMaxBytes: number | null): KernelFacts {
  return {
    backend: kernel.backend,
    model: modelText(kernel),
    release: kernelRelease(kernel),
    module: kvmModule(kernel),
    ringMaxBytes,
  };
}

function modelText(kernel: Kernel): string | null {
  if (kernel.insight === null) return null;
  const { pml, emulator } = kernel.insight;
  return kernelVersion(kernel) + (pml ? "+pml" : "") + (emulator ? "+emulator" : "");
}

const CHUNK = 1 << 20;

/** The calls that read files: of a kernel, or of Deno in its place. */
export type Files = Pick<Kernel, "open" | "read" | "close">;

/**
 * The most bytes that are read unless the caller gives a limit: enough for a pattern of some fifty
 * million pages.
 */
const MOST: number = 512 * CHUNK;

/**
 * Reads a file descriptor to its end, piece by piece.
 *
 * @param fd The file descriptor: 0 is standard input.
 * @param name What to call it in an error.
 * @param most The most bytes that are read; 512 MiB unless given.
 * @yields Some bytes of it; the caller may keep them.
 * @throws {KernelError} If it cannot be read, or holds more bytes (EFBIG).
 */
export function* readPieces(
  files: Pick<Files, "read">,
  fd: number,
  name: string,
  most: number = MOST,
): Generator<Uint8Array<ArrayBuffer>> {
  for (let size = 0;;) {
    const chunk = new Uint8Array(size === 0 ? 4096 : CHUNK);
    const got = checked(files.read(fd, chunk), () => `read(${printable(name)})`);
    if (got === 0) return;
    size += got;
    if (size > most) throw new KernelError(`read(${printable(name)})`, -ERRNO.EFBIG);
    yield got < CHUNK / 2 ? chunk.slice(0, got) : chunk.subarray(0, got);
  }
}

/**
 * Joins pieces.
 *
 * @returns Their bytes.
 * @throws {KernelError} If the pieces cannot be read.
 */
export function joined(pieces: Iterable<Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> {
  const list = [...pieces];
  const all = new Uint8Array(list.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of list) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/**
 * Reads a whole text file through a kernel.
 *
 * @param most The most bytes that are read.
 * @returns Its text, or `null` if it cannot be read or holds more bytes.
 */
export function readText(kernel: Files, path: string, most: number): string | null {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return null;
  try {
    return new TextDecoder().decode(joined(readPieces(kernel, fd, path, most)));
  } catch (error) {
    if (error instanceof KernelError) return null;
    throw error;
  } finally {
    kernel.close(fd);
  }
}

/**
 * Reads a small file of /proc or /sys as a line of text. Deno's own functions would need
 * `--allow-all` for these files; the kernel's calls need no permission beyond those for KVM, and
 * the model has files of its own. Only the first page of 4096 bytes is read.
 *
 * @returns Its text without the final newline, or `null` if it cannot be read.
 */
export function readLine(kernel: Kernel, path: string): string | null {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return null;
  const bytes = new Uint8Array(4096);
  const got = kernel.read(fd, bytes);
  kernel.close(fd);
  return got < 0 ? null : new TextDecoder().decode(bytes.subarray(0, got)).trimEnd();
}
