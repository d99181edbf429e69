/** The kernel versions whose rules the model keeps; each holds until the next. */
export type ModelVersion =
  | "v5.11"
  | "v6.1"
  | "v6.10"
  | "v6.12"
  | "v6.14"
  | "v6.17"
  | "latest";

/** What a model shall be. */
export interface ModelKind {
  /** The kernel version. */
  readonly version: ModelVersion;
  /** A processor with page-modification logging. */
  readonly pml: boolean;
  /** A host that emulates real mode: every store of a real-mode guest pushes. */
  readonly emulator: boolean;
}
