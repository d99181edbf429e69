import { assertEquals, assertThrows } from "@std/assert";
import { CheckFailure } from "../../conformance/kit/expect.ts";
import { hasWrapFix, type WrapAnswer } from "../../conformance/statements/changing_slots.ts";

const BACK = { what: "back", withFix: ["1:300"], without: ["1:0", "1:300"] };
const FORTH = { what: "forth", withFix: ["1:300"], without: ["1:0", "1:1", "1:300"] };
/** The fix decides nothing here. */
const SAME = { what: "far", withFix: ["1:0"], without: ["1:0"], pushed: ["1:0"] };

const fixed = (one: Omit<WrapAnswer, "pushed">) => ({ ...one, pushed: one.withFix });
const unfixed = (one: Omit<WrapAnswer, "pushed">) => ({ ...one, pushed: one.without });

Deno.test("a kernel has the fix in all cases, or in none", () => {
  assertEquals(hasWrapFix([fixed(BACK), SAME, fixed(FORTH)]), true);
  assertEquals(hasWrapFix([unfixed(BACK), SAME, unfixed(FORTH)]), false);
});

Deno.test("one that has it in some cases has another fault, as one that does something else", () => {
  const failing = (...answers: WrapAnswer[]) =>
    assertThrows(() => hasWrapFix(answers), CheckFailure).what;
  assertEquals(failing(fixed(BACK), SAME, unfixed(FORTH)), "forth");
  assertEquals(failing(unfixed(BACK), SAME, fixed(FORTH)), "back");
  assertEquals(failing(unfixed(BACK), { ...SAME, pushed: [] }), "far");
});
