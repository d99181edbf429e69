// Installs, where they are missing and root may, the programs of Debian packages that tests use: shells
// and what reads the manual. What cannot be had is said in a line; the tests that need it are skipped.
import { THIS_HOST } from "../kernels/package_host.ts";
import { installMissing } from "../kernels/programs.ts";
import { PACKAGES } from "./prompt.ts";

for (const [program, of] of Object.entries(PACKAGES)) {
  const why = await installMissing([program], of, THIS_HOST);
  if (why !== null) console.log(`${why}: tests that need it are skipped`);
}
