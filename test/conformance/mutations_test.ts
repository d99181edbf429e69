// Every check is able to fail: wrong kernels, each broken in one place, and the checks that notice.
import { assert, assertEquals } from "@std/assert";
import { runCheck } from "../../conformance/runner/run_check.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import { withMutation } from "../support/mutate.ts";
import { MUTATIONS } from "../support/mutations.ts";
import { NOTICED } from "../support/mutations_noticed.ts";

async function failing(mutation: (typeof MUTATIONS)[number]): Promise<string[]> {
  return await withMutation(mutation, async (open) => {
    const failed: string[] = [];
    for (const check of ALL_CHECKS) {
      const { status } = await runCheck(check, open(), { allowWarn: true, allowHarm: true });
      if (status === "fail") failed.push(check.id);
    }
    return failed;
  });
}

for (const mutation of MUTATIONS) {
  Deno.test(`a wrong kernel is noticed by the checks concerned: ${mutation.name}`, async () => {
    const failed = await failing(mutation);
    assert(failed.length > 0);
    assertEquals(failed, NOTICED[mutation.name]);
  });
}

Deno.test("every check is noticed to fail by some wrong kernel", () => {
  const proved = new Set(Object.values(NOTICED).flat());
  assertEquals(ALL_CHECKS.map(({ id }) => id).filter((id) => !proved.has(id)), []);
});
