// The programs that a VM needs on its host. If one is missing, and this is root, it is installed.
import { aptGet, type PackageHost, reasonOf } from "./package_host.ts";

/**
 * Alternative programs, and Debian's package of the first. Debian's modules are compressed with xz.
 */
const NEEDED = [
  { programs: ["qemu-system-x86_64", "/usr/libexec/qemu-kvm"], of: "qemu-system-x86" },
  { programs: ["xz"], of: "xz-utils" },
] as const;

/**
 * Installs QEMU and the program that unpacks Debian's modules, if they are missing.
 *
 * @returns Why that failed, in one line; `null` if they are there.
 */
export async function installPrograms(host: PackageHost): Promise<string | null> {
  for (const { programs, of } of NEEDED) {
    const why = await installMissing(programs, of, host);
    if (why !== null) return why;
  }
  return null;
}

/**
 * Installs a program, if it is missing.
 *
 * @param programs Alternatives, any of which will do.
 * @param of Debian's package of the first.
 * @returns Why that failed, in one line; `null` if there is one.
 */
export async function installMissing(
  programs: readonly string[],
  of: string,
  host: PackageHost,
): Promise<string | null> {
  const found = await Promise.all(programs.map((program) => host.has(program)));
  if (found.includes(true)) return null;
  const why = await install(of, host);
  return why === null ? null : `no ${programs[0]} here, and ${why}`;
}

async function install(name: string, host: PackageHost): Promise<string | null> {
  if (!await host.has("apt-get")) return "no apt-get to install it";
  if (!host.isRoot) return `only root may apt-get install ${name}`;
  const command = aptGet("install", "-y", "--no-install-recommends", name);
  if ((await host.run(command)).code === 0) return null;
  // A fresh machine has no package lists, others have old ones.
  await host.run(aptGet("update"));
  const ran = await host.run(command);
  return ran.code === 0 ? null : `apt-get install ${name}: ${reasonOf(ran)}`;
}
