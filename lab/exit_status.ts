/** The exit statuses of dirtyring: README.md, "Exit statuses". */
export const EXIT = {
  /** Done, and all that was checked holds. */
  OK: 0,
  /** Something that was checked does not hold. */
  BROKEN: 1,
  /** The command line, a file or a value in it is wrong. */
  USAGE: 2,
  /** The kernel refused or failed a call that was needed, the guest failed, or something ran out. */
  KERNEL: 3,
  /** This host cannot do it. */
  HOST: 4,
  /** A defect of dirtyring. */
  DEFECT: 70,
  /** A kernel of `--kernel` that did not boot, panicked, hung or ran out of time. */
  MACHINE: 125,
  /** Interrupted; these as a shell tells of a process that the signal ended: 128 and its number. */
  SIGHUP: 129,
  SIGINT: 130,
  /** The reader of the output went away before all was done: SIGPIPE's. */
  CLOSED_PIPE: 141,
  SIGTERM: 143,
} as const;
