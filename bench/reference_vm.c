// The reference's VM: made as lab/lab.ts makes one, with one vCPU and one logged slot.
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

// Where the ring begins in a vCPU's mapping.
#define RING_AT (KVM_DIRTY_LOG_PAGE_OFFSET * 4096)

static char problem[160] = "";

// Why the last call that failed did.
EXPORT const char *reference_problem(void)
{
	return problem;
}

int fail(const char *what)
{
	snprintf(problem, sizeof problem, "%s: %s", what, strerror(errno));
	return -1;
}

int fail_with(const char *what, long found, long expected)
{
	snprintf(problem, sizeof problem, "%s: %ld, expected %ld", what, found, expected);
	return -1;
}

static void *map(uint64_t bytes, int flags, int fd, uint64_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static int set_slot(struct vm *vm, uint32_t slot, uint64_t at, uint64_t bytes, void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = slot == 0 ? 0 : KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = at,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

// Real mode with segments of 4 GiB from address 0, as guest/real16.ts has it.
static int set_segments(struct vm *vm)
{
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs) < 0) return fail("KVM_GET_SREGS");
	struct kvm_segment *all[] = { &sregs.cs, &sregs.ds, &sregs.es,
				      &sregs.fs, &sregs.gs, &sregs.ss };
	for (int n = 0; n < 6; n++) {
		all[n]->base = 0;
		all[n]->limit = 0xffffffff;
		all[n]->selector = 0;
		all[n]->g = 1;
	}
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) < 0) return fail("KVM_SET_SREGS");
	return 0;
}

static int make_vm(struct vm *vm, const uint8_t *slot0)
{
	const struct setup *s = &vm->setup;
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { s->ring_bytes } };
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0) return fail("open(/dev/kvm)");
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0) return fail("KVM_CREATE_VM");
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0) return fail("KVM_ENABLE_CAP");
	vm->low = map(s->slot0_bytes, anonymous, -1, 0);
	if (!vm->low) return fail("mmap(slot 0)");
	vm->logged = map(s->logged_bytes, anonymous, -1, 0);
	if (!vm->logged) return fail("mmap(slot 1)");
	if (set_slot(vm, 0, 0, s->slot0_bytes, vm->low) < 0) return fail("slot 0");
	if (set_slot(vm, 1, s->slot0_bytes, s->logged_bytes, vm->logged) < 0) return fail("slot 1");
	memcpy(vm->low, slot0, s->slot0_bytes);
	return 0;
}

static int make_vcpu(struct vm *vm)
{
	int bytes = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (bytes < 0) return fail("KVM_GET_VCPU_MMAP_SIZE");
	vm->run_bytes = (uint64_t)bytes;
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0) return fail("KVM_CREATE_VCPU");
	vm->run = map(vm->run_bytes, MAP_SHARED, vm->vcpu, 0);
	if (!vm->run) return fail("mmap(kvm_run)");
	vm->ring = map(vm->setup.ring_bytes, MAP_SHARED, vm->vcpu, RING_AT);
	if (!vm->ring) return fail("mmap(ring)");
	return set_segments(vm);
}

// Gives all of a VM back. NULL is no VM.
EXPORT void reference_close(struct vm *vm)
{
	if (!vm) return;
	if (vm->ring) munmap(vm->ring, vm->setup.ring_bytes);
	if (vm->run) munmap(vm->run, vm->run_bytes);
	if (vm->vcpu >= 0) close(vm->vcpu);
	if (vm->fd >= 0) close(vm->fd);
	if (vm->kvm >= 0) close(vm->kvm);
	if (vm->logged) munmap(vm->logged, vm->setup.logged_bytes);
	if (vm->low) munmap(vm->low, vm->setup.slot0_bytes);
	free(vm->slots);
	free(vm->offsets);
	free(vm);
}

// Makes a VM; `slot0` are the bytes that slot 0 begins with, all of them. NULL: see the problem.
EXPORT struct vm *reference_open(const struct setup *setup, const uint8_t *slot0)
{
	uint64_t entries = setup->ring_bytes / sizeof(struct kvm_dirty_gfn);
	struct vm *vm = calloc(1, sizeof *vm);

	if (!vm) return fail("calloc"), NULL;
	vm->setup = *setup;
	vm->kvm = vm->fd = vm->vcpu = -1;
	vm->value = 1;
	vm->slots = calloc(entries, sizeof *vm->slots);
	vm->offsets = calloc(entries, sizeof *vm->offsets);
	if (vm->slots && vm->offsets) {
		if (make_vm(vm, slot0) == 0 && make_vcpu(vm) == 0) return vm;
	} else {
		fail("calloc");
	}
	reference_close(vm);
	return NULL;
}
