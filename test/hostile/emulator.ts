/**
 * Writes a program that replaces QEMU. It prints files from the folder of the kernel's image:
 * `console` as the output of the first serial port, `line` as that of the second. It ends with the
 * exit status in `status`.
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
