// Stands in for KVM at full speed: pushes entries with growing offsets into a ring, as fast as they
// are harvested. It writes in the order of kvm_dirty_ring_push: slot and offset, and only then
// flags.
import { openLibc } from "../../ffi/libc.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { DIRTY, ENTRY_WORDS, FLAGS, HARVESTED, OFFSET, SLOT } from "../../ring/entry.ts";

/** The message that starts it. */
export interface ProducerOrder {
  /** Address and size in bytes of the ring. */
  readonly address: number;
  readonly bytes: number;
  /** Entries to push. */
  readonly entries: number;
}

const scope = workerScope<ProducerOrder, "done">();

scope.onmessage = ({ data: { address, bytes, entries } }) => {
  const view = openLibc().view(address, bytes);
  const words = new Uint32Array(view.buffer, view.byteOffset, bytes / 4);
  for (let n = 0, at = 0; n < entries; n++) {
    // A harvested entry counts as reset at once.
    for (;;) {
      const flags = Atomics.load(words, at + FLAGS);
      if (flags === 0 || (flags & HARVESTED) !== 0) break;
    }
    words[at + SLOT] = 1;
    words[at + OFFSET] = n;
    Atomics.store(words, at + FLAGS, DIRTY);
    at += ENTRY_WORDS;
    if (at === words.length) at = 0;
  }
  scope.postMessage("done");
  scope.close();
};
