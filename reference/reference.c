// What dirtyring is measured against: its two loops, written in C. The library is compiled where it
// is used (reference/compile_reference.ts) and called by reference/compile_reference.ts.
#include "reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define STATE (KVM_DIRTY_GFN_F_DIRTY | KVM_DIRTY_GFN_F_RESET)

// What rounds run on; TypeScript writes these fields in this order.
struct setup {
	struct machine_setup machine;
	uint64_t code_at;
	uint64_t list_at;
	uint64_t stores; // in a round
};

// What a round was; TypeScript reads these fields in this order.
struct round {
	uint64_t run_ns;
	uint64_t harvest_ns;
	uint64_t reset_ns;
	uint64_t entries;
	uint64_t full_exits;
	uint64_t resets;
};

// A VM with one vCPU.
struct vm {
	struct setup setup;
	struct machine machine;
	struct vcpu vcpu;
	uint32_t value;
};

// The harvest as api.rst describes it. `entries` is a power of two, `fetch` runs free, `limit` is
// at most `entries`, and both outputs have room for `limit`.
EXPORT uint32_t reference_harvest(struct kvm_dirty_gfn *ring, uint32_t entries, uint32_t fetch,
				  uint32_t limit, uint32_t *slots, uint64_t *offsets)
{
	uint32_t taken = 0;

	while (taken < limit) {
		struct kvm_dirty_gfn *entry = &ring[(fetch + taken) & (entries - 1)];
		uint32_t flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);

		if ((flags & STATE) != KVM_DIRTY_GFN_F_DIRTY) break;
		slots[taken] = entry->slot;
		offsets[taken] = entry->offset;
		__atomic_store_n(&entry->flags, STATE, __ATOMIC_RELEASE);
		taken++;
	}
	return taken;
}

uint32_t vcpu_harvest(struct vcpu *vcpu)
{
	uint32_t entries = (uint32_t)(vcpu->ring_bytes / sizeof(struct kvm_dirty_gfn));

	vcpu->taken = reference_harvest(vcpu->ring, entries, vcpu->fetch, entries, vcpu->slots,
					vcpu->offsets);
	vcpu->fetch += vcpu->taken;
	return vcpu->taken;
}

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int harvest_and_reset(struct vm *vm, struct round *round)
{
	uint64_t started = now();
	uint32_t taken = vcpu_harvest(&vm->vcpu);
	uint64_t harvested = now();
	int reset = ioctl(vm->machine.fd, KVM_RESET_DIRTY_RINGS, 0);

	round->reset_ns += now() - harvested;
	round->harvest_ns += harvested - started;
	round->entries += taken;
	round->resets++;
	if (reset < 0) return fail("KVM_RESET_DIRTY_RINGS");
	if ((uint32_t)reset != taken) return fail_with("entries reset", reset, taken);
	return (int)taken;
}

// One round, as Rounds.round() of drive/rounds.ts makes it. 0, or -1: see the problem.
EXPORT int reference_round(struct vm *vm, struct round *round)
{
	int vcpu = vm->vcpu.fd;
	struct kvm_regs regs = {
		.rip = vm->setup.code_at,
		.rflags = 2, // bit 1 is always set
		.rsi = vm->setup.list_at,
		.rcx = vm->setup.stores,
		.rbx = vm->value,
		.rbp = 1,
	};

	memset(round, 0, sizeof *round);
	vm->value += (uint32_t)vm->setup.stores;
	if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0) return fail("KVM_SET_REGS");
	for (;;) {
		uint64_t started = now();
		int answer = ioctl(vcpu, KVM_RUN, 0);
		uint32_t reason = vm->vcpu.run->exit_reason;

		round->run_ns += now() - started;
		if (answer < 0 && errno == EINTR) continue;
		if (answer < 0) return fail("KVM_RUN");
		if (reason == KVM_EXIT_HLT) break;
		if (reason != KVM_EXIT_DIRTY_RING_FULL)
			return fail_with("exit reason", reason, KVM_EXIT_HLT);
		round->full_exits++;
		int taken = harvest_and_reset(vm, round);
		if (taken < 0) return -1;
		if (taken == 0) return fail_with("entries of a full ring", 0, 1);
	}
	if (ioctl(vcpu, KVM_GET_REGS, &regs) < 0) return fail("KVM_GET_REGS");
	if (regs.rcx != 0) return fail_with("stores left", (long)regs.rcx, 0);
	return harvest_and_reset(vm, round) < 0 ? -1 : 0;
}

// Gives all of a VM back. NULL is no VM.
EXPORT void reference_close(struct vm *vm)
{
	if (!vm) return;
	vcpu_close(&vm->vcpu);
	machine_close(&vm->machine);
	free(vm);
}

// Makes a VM; `slot0` are the bytes that slot 0 begins with, all of them. NULL: see the problem.
EXPORT struct vm *reference_open(const struct setup *setup, const uint8_t *slot0,
				 const struct sregs_patch *patch)
{
	struct vm *vm = calloc(1, sizeof *vm);

	if (!vm) return fail("calloc"), NULL;
	vm->setup = *setup;
	vm->value = 1;
	vm->vcpu.fd = -1;
	if (machine_open(&vm->machine, &setup->machine, slot0) == 0 &&
	    vcpu_open(&vm->vcpu, &vm->machine, 0, patch) == 0)
		return vm;
	reference_close(vm);
	return NULL;
}
