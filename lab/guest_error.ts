/** The guest stopped in a way that its program never does: a defect of the guest, or of KVM. */
export class GuestError extends Error {
  /**
   * Says how the guest stopped.
   *
   * @param message One line: which vCPU, which exit, where.
   */
  constructor(message: string) {
    super(message);
    this.name = "GuestError";
  }
}
