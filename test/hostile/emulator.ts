/**
 * Puts a program in a folder that takes QEMU's place: it prints what lies beside the kernel's image, `console` as what
 * the first serial port says and `line` as the second, and ends with the status in `status`.
 *
 * @param folder The folder, for PATH.
 */
export async function writeEmulator(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const path = `${folder}/qemu-system-x86_64`;
  await Deno.writeTextFile(
    path,
    `#!/bin/sh
if [ "$1" = --version ]; then echo 'QEMU emulator version 7.2.0'; exit; fi
while [ $# -gt 0 ] && [ "$1" != -kernel ]; do shift; done
case $2 in */*) cd "\${2%/*}" || exit 1;; esac
[ -f line ] || { echo 'qemu-system-x86_64: no machine here' >&2; exit 1; }
cat console >&2
cat line
exit "$(cat status)"
`,
  );
  await Deno.chmod(path, 0o755);
}
