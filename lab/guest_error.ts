import { WordedError, type Wording } from "../ffi/host_error.ts";

/** The guest stopped in a way that its program never does: a defect of the guest, or of KVM. */
export class GuestError extends WordedError {
  /**
   * Says how the guest stopped.
   *
   * @param wording One line: which vCPU, which exit, where.
   */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "GuestError";
  }
}
