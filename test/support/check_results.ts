// Made-up results of checks, with every status and with texts that an output format has to escape.
import type { CheckResult, CheckRun } from "../../conformance/kit/check.ts";
import { type CheckReport, countGroups, summarise } from "../../conformance/runner/check_report.ts";

const BASE = {
  expected: null,
  seen: null,
  withheld: null,
  defect: false,
  reports: [],
  source: "virt/kvm/kvm_main.c",
  ms: 1.5,
} as const;

/** A run of a check with a status, and nothing else. */
export function checkRun(status: CheckRun["status"], detail: string | null = null): CheckRun {
  return {
    status,
    detail,
    expected: null,
    seen: null,
    withheld: null,
    defect: false,
    reports: [],
    ms: 2,
  };
}

export const RESULTS: readonly CheckResult[] = [
  {
    ...BASE,
    id: "cap.max-bytes",
    group: "enabling",
    statement: "the largest ring in bytes",
    status: "pass",
    detail: null,
  },
  {
    ...BASE,
    id: "enable.too-big",
    group: "enabling",
    statement: 'a size of <2 MiB> & "more" is E2BIG',
    status: "fail",
    detail: "ENABLE_CAP(2097152) # on a\nfresh VM",
    expected: "E2BIG",
    seen: "0 \u0000\u001b[31m\ud800 ü",
  },
  {
    ...BASE,
    id: "mmap.exec",
    group: "mapping",
    statement: "PROT_EXEC is refused",
    status: "pass",
    detail: "the answer is EPERM",
  },
  {
    ...BASE,
    id: "reset.signal",
    group: "resetting",
    statement: "a signal ends the walk",
    status: "skip",
    detail: "of Linux 6.17 # SKIP and newer",
  },
  {
    ...BASE,
    id: "reset.signal-lost-batch",
    group: "resetting",
    statement: "no batch is lost",
    status: "known",
    detail: "pages 4 to 9 were not re-protected",
  },
];

/** A check that timed out. */
export const OUT_OF_TIME: CheckResult = {
  ...BASE,
  id: "reset.signal",
  group: "resetting",
  statement: "a signal ends the walk",
  status: "timeout",
  detail: "did not end within 12 s: in KVM_RUN for 11.9 s; --timeout TIME sets another limit",
};

/** A report of some results. */
export function reportOf(
  checks: readonly CheckResult[],
  changes: Partial<CheckReport> = {},
): CheckReport {
  return {
    schema: "dirtyring.check/1",
    kernel: {
      backend: "kvm",
      model: null,
      release: "6.18",
      module: "kvm_pvm",
      ringMaxBytes: 1048576,
    },
    kernelLog: { read: true, why: null, lost: 0 },
    complete: true,
    interrupted: null,
    strict: false,
    seed: null,
    repeat: 1,
    limit: { ms: 12_000, given: false, slowness: 1.2 },
    planned: countGroups(RESULTS),
    checks,
    summary: summarise(checks),
    ...changes,
  };
}
