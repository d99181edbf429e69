// Stands in for QEMU in tests: a program that takes QEMU's arguments and plays a machine whose
// kernel is the model. It reads the request from the initramfs and runs it on this host. On
// standard output, which is the serial line, it sends what the machine's init process would send.
import { Buffer } from "node:buffer";
import { frameBytes, type FrameKind, jsonFrame } from "../../vm/frames.ts";
import { type GuestRequest, REQUEST, STAGED, STDIN } from "../../vm/guest_request.ts";
import { OutputSender } from "../../vm/init.ts";
import { denoArgs } from "./cli.ts";

const HEAD_BYTES = 110;
const FIELD_BYTES = 8;
const END_BYTES = 1 << 20;

// The value of one of QEMU's options.
function given(option: string): string {
  return Deno.args[Deno.args.indexOf(option) + 1]!;
}

/**
 * The end of a file: the request follows a hundred megabytes that are the same for all machines.
 */
async function endOf(path: string): Promise<Buffer> {
  using file = await Deno.open(path);
  await file.seek(-END_BYTES, Deno.SeekMode.End);
  return Buffer.from(await new Response(file.readable).arrayBuffer());
}

/** A file in the last archive of an initramfs. */
function staged(initrd: Buffer, path: string): Buffer {
  const at = initrd.lastIndexOf(`${path.slice(1)}\0`);
  if (at < 0) throw new Error(`the initramfs has no ${path}`);
  const field = (n: number) => {
    const from = at - HEAD_BYTES + 6 + n * FIELD_BYTES;
    return parseInt(initrd.toString("latin1", from, from + FIELD_BYTES), 16);
  };
  const from = (at + field(11) + 3) & ~3;
  return initrd.subarray(from, from + field(6));
}

let last = Promise.resolve();

function send(bytes: Uint8Array): Promise<void> {
  const before = last;
  return last = (async () => {
    await before;
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await Deno.stdout.write(rest));
  })();
}

async function relay(kind: FrameKind, stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const piece of stream) await send(frameBytes(kind, piece));
}

if (import.meta.main) {
  console.error("[    0.000000] Linux version 6.12.1");
  const initrd = await endOf(given("-initrd"));
  const request: GuestRequest = JSON.parse(staged(initrd, REQUEST).toString());
  await send(jsonFrame("hello", {
    backend: "kvm",
    model: null,
    release: "6.12.1",
    module: "kvm_amd",
    ringMaxBytes: 65536,
  }));
  const folder = await Deno.makeTempDir();
  // A machine does not see this host's files: map each path that it was given to a temporary
  // folder.
  let args = [...request.args];
  const place = (path: string) => `${folder}/${path.replaceAll("/", "_")}`;
  for (const path of request.inputs) {
    await Deno.writeFile(place(path), staged(initrd, STAGED + path));
  }
  for (const path of [...request.inputs, ...request.outputs]) {
    args = args.map((arg) => arg.replace(path, place(path)));
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArgs([...args, "--backend", "model"]),
    stdin: request.hasStdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (request.hasStdin) {
    new Blob([new Uint8Array(staged(initrd, STDIN))]).stream().pipeTo(child.stdin);
  }
  await Promise.all([relay("stdout", child.stdout), relay("stderr", child.stderr)]);
  const sender = new OutputSender(request.outputs.map(place), (kind, body) => {
    const text = new TextDecoder().decode(body);
    if (kind !== "file") return send(frameBytes(kind, body));
    const file = JSON.parse(text);
    const output = request.outputs.find((path) => place(path) === file.output);
    return send(jsonFrame(kind, { ...file, output }));
  });
  await sender.sendRest();
  await Deno.remove(folder, { recursive: true });
  await send(jsonFrame("end", { code: (await child.status).code }));
}
