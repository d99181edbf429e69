// What the files of the reference share.
#ifndef REFERENCE_H
#define REFERENCE_H

#include <linux/kvm.h>
#include <stdint.h>

// The library is compiled with -fvisibility=hidden: what TypeScript calls is marked.
#define EXPORT __attribute__((visibility("default")))

// A VM's memory and rings; TypeScript writes these fields in this order.
struct machine_setup {
	uint64_t ring_bytes;
	uint64_t slot0_bytes; // slot 0: code and access list, from address 0, not logged
	uint64_t logged_bytes; // slot 1: behind slot 0, logged
};

// What a guest's program wants of `struct kvm_sregs`: `value` where `mask` is not 0.
struct sregs_patch {
	uint8_t mask[sizeof(struct kvm_sregs)];
	uint8_t value[sizeof(struct kvm_sregs)];
};

// A VM without vCPUs. What is not there yet is -1 or NULL.
struct machine {
	struct machine_setup setup;
	int kvm, fd;
	uint8_t *low, *logged;
};

// A vCPU with its ring, and what was last harvested from that.
struct vcpu {
	int fd;
	uint64_t run_bytes, ring_bytes;
	struct kvm_run *run;
	struct kvm_dirty_gfn *ring;
	uint32_t fetch;
	uint32_t taken;
	uint32_t *slots;
	uint64_t *offsets;
};

// Both answer 0, or -1: see the problem. What they opened is to be closed in any case.
int machine_open(struct machine *machine, const struct machine_setup *setup, const uint8_t *slot0);
int vcpu_open(struct vcpu *vcpu, const struct machine *machine, int id,
	      const struct sregs_patch *patch);

// Also for what was opened in part; vCPUs go before their VM.
void machine_close(struct machine *machine);
void vcpu_close(struct vcpu *vcpu);

// Takes all that is dirty in the vCPU's ring. Answers how many entries.
uint32_t vcpu_harvest(struct vcpu *vcpu);

// Nanoseconds of a clock that only goes forward.
uint64_t now(void);

// Notes why a call failed, with errno's text; answers -1.
int fail(const char *what);

// Notes a number that is not what it has to be; answers -1.
int fail_with(const char *what, long found, long expected);

#endif
