// What a command may use beside its options, and where its result goes.
import type { Kernel, TraceOrder } from "../ffi/kernel.ts";
import type { BackendSelection } from "../host/backend.ts";
import type { Interrupt } from "../host/interrupt.ts";
import type { Provenance } from "../host/provenance.ts";
import type { Page } from "../report/page.ts";
import type { MachineRequest } from "./machine_request.ts";
import type { Terminal } from "./terminal.ts";

/** What a command may use beside its options. */
export interface Context {
  /** Opens the kernel that its options ask for, traced with `--trace`. */
  openKernel(selection: BackendSelection): Promise<Kernel>;
  /** Prints a note or a warning of the program to stderr. */
  note(text: string): void;
  /**
   * Prints to standard output while the command goes on.
   *
   * @returns Whether the output still has a reader.
   */
  print(chunks: Iterable<string>): boolean;
  /**
   * Prints progress to standard output without waiting for a slow reader: what is not read in time
   * is dropped.
   *
   * @returns Whether the output still has a reader.
   */
  stream(chunks: Iterable<string>): boolean;
  /**
   * The terminal of standard output; `null` if it is not a terminal, or if nothing of the result
   * goes there.
   */
  readonly terminal: Terminal | null;
  /** Whether standard output is coloured. */
  readonly isColoured: boolean;
  /** Where the result goes: standard output, files, or both, each in a format. */
  readonly outlets: readonly Outlet[];
  /** How results are written, but for the width. */
  readonly page: Page;
  /** The options that were given, without dashes: others have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Gathers where the result comes from, when it is there; `null` if that is not wanted. */
  provenance(): Promise<Provenance | null>;
  /** Prints a line to stderr without a prefix. */
  say(line: string): void;
  /**
   * Listens for the signals that end a command early but in order. Meanwhile a terminal shows on
   * stderr what the work says of itself (`Interrupt.progress`), from its first second on.
   *
   * @param tell Called when a signal arrives.
   * @returns The interrupt, for its caller to dispose of.
   * @throws {KernelError} If no file descriptor is left to listen with.
   */
  listen(tell?: () => void): Promise<Interrupt>;
  /**
   * The machines that `--kernel` asks for, with their command line; `null` if this host's kernel is
   * used.
   */
  readonly machines: MachineRequest | null;
  /**
   * Tells an observer outside the machine which step begins, so that it is known what a machine did
   * when it stopped.
   */
  announce(what: string): void;
  /**
   * How every kernel call is to be traced, for a command that makes the calls in another process;
   * `null` if none is.
   */
  readonly trace: TraceOrder | null;
}

/** Where a result goes in one format. */
export interface Outlet {
  /** The format. */
  readonly format: string;
  /** The file as given; `-` is standard output. */
  readonly path: string;
  /** How it is written. */
  readonly page: Page;
  /**
   * Adds a part of the result while the command goes on.
   *
   * @returns Whether the output still has a reader.
   */
  print(chunks: Iterable<string>): boolean;
  /**
   * Adds progress without waiting for a slow reader.
   *
   * @returns Whether the output still has a reader.
   */
  stream(chunks: Iterable<string>): boolean;
}
