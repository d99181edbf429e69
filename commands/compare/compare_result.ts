// The result of `dirtyring compare`.
import type { KernelFacts } from "../../host/facts.ts";

/** How a statement or a figure of a result compares with that of the base. */
export type Change =
  /** No difference, or none beyond the spread of both. */
  | "same"
  /** A difference beyond the spread, but not above the threshold. */
  | "within"
  /** A difference, neither better nor worse. */
  | "changed"
  /** Better: a statement holds again, or a figure by more than the threshold. */
  | "better"
  /** Worse: a statement holds no more, or a figure by more than the threshold. */
  | "worse"
  /** Only this result has it. */
  | "new"
  /** Only the base has it. */
  | "gone"
  /** Only the base has it, since the other result ended early. */
  | "not made"
  /** Fewer than five repetitions. */
  | "too few"
  /** Measured on the model, whose times are none of a kernel. */
  | "not judged";

/** Which direction of a figure is better. */
export type Better = "less" | "more";

/** A kernel of a result. */
export interface ComparedKernel {
  /** Its label beside the others of the result; `null` if there is only one. */
  readonly label: string | null;
  /** Which kernel answered; `null` if the result has no report of it. */
  readonly kernel: KernelFacts | null;
}

/** A result that is compared. */
export interface ComparedFile {
  /** The file as given; `"this run"` for what was not read from a file. */
  readonly file: string;
  /** Its kernels. */
  readonly kernels: readonly ComparedKernel[];
  /** Why the result is not whole, in words; `null` if it is. */
  readonly partial: string | null;
}

/** What a result says of a statement. */
export interface StatementState {
  /** The status of a check, or `pass` or `fail` for what another command checks. */
  readonly status: string | null;
  /** What was seen, or a remark; `null` if there is nothing to say. */
  readonly answer: string | null;
}

/** A statement as a result compares with the base. */
export interface OtherStatement extends StatementState {
  /** How it compares. */
  readonly change: Change;
}

/** A statement that is not the same in all results. */
export interface StatementRow {
  /** The label of the base's kernel; `null` if there is only one. */
  readonly kernel: string | null;
  /** The statement's id. */
  readonly id: string;
  /** The statement in a line. */
  readonly statement: string;
  /** What the base says. */
  readonly base: StatementState;
  /** What the others say, in their order. */
  readonly others: readonly OtherStatement[];
}

/** A figure of a result. */
export interface FigureState {
  /** The median of the samples, or the count (the mean of several); `null` if the result lacks the figure. */
  readonly value: number | null;
  /** How many samples there are; `null` for a count that is the same each time. */
  readonly repetitions: number | null;
}

/** A figure as a result compares with the base. */
export interface OtherFigure extends FigureState {
  /** Its value / that of the base; `null` if one is missing, or the base's is 0. */
  readonly ratio: number | null;
  /** The lower limit of the interval of the ratio; `null` if there is none. */
  readonly low: number | null;
  /** The upper limit. */
  readonly high: number | null;
  /** How it compares. */
  readonly change: Change;
}

/** A figure in all results. */
export interface FigureRow {
  /** The label of the base's kernel; `null` if there is only one. */
  readonly kernel: string | null;
  /** What it was measured for, in words: `"cost, 64 MiB, 16 pages, ring"`. */
  readonly place: string;
  /** Its name, as docs/results.md has it. */
  readonly figure: string;
  /** Which direction is better; `null` if neither is. */
  readonly better: Better | null;
  /** Whether it was measured, and so has a spread; otherwise it is a count. */
  readonly measured: boolean;
  /** The base's figure. */
  readonly base: FigureState;
  /** Those of the others, in their order. */
  readonly others: readonly OtherFigure[];
}

/** How many statements and figures compare in a way. */
export interface ChangeCount {
  /** Statements. */
  readonly statements: number;
  /** Figures. */
  readonly figures: number;
}

/** How one result compares with the base, counted. */
export type ChangeCounts = Readonly<Record<Change, ChangeCount>>;

/** A result with its comparison, if it was compared with another. */
export type Compared<Result> = Result & {
  /** How it compares with the result that was asked for; missing without one. */
  readonly comparison?: CompareResult;
};

/** The result of `dirtyring compare`. */
export interface CompareResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.compare/1";
  /** The schema of what is compared. */
  readonly compared: string;
  /** How much a figure may be worse, as a fraction: 0.1 for 10 %. */
  readonly failAbove: number;
  /** The probability with which an interval holds the true ratio, at least. */
  readonly confidence: number;
  /** The result with which the others are compared. */
  readonly base: ComparedFile;
  /** The others, in their order. */
  readonly others: readonly ComparedFile[];
  /** How many statements the base has. */
  readonly statementCount: number;
  /** How many fail in the base and are the same in all results. */
  readonly stillFailing: number;
  /** The statements that are not the same in all results. */
  readonly statements: readonly StatementRow[];
  /** All figures. */
  readonly figures: readonly FigureRow[];
  /** How each of the others compares, counted. */
  readonly counts: readonly ChangeCounts[];
  /** Whether nothing got worse. */
  readonly ok: boolean;
}
